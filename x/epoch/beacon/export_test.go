package beacon

// Sign signs any message, by the suite of the reveals or that of the proofs.
func (k Key) Sign(message []byte, proof bool) []byte {
	if proof {
		return k.sign(message, suiteProof)
	}
	return k.sign(message, suiteReveal)
}

// RevealMessage and ProofMessage are what is signed.
func RevealMessage(chainID string, seed []byte, height int64) []byte {
	return revealMessage(chainID, seed, height)
}

func ProofMessage(pubKey []byte, chainID string, operator []byte) []byte {
	return proofMessage(pubKey, chainID, operator)
}
