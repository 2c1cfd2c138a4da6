package app

import (
	"slices"
	"time"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
)

const (
	// mostBlockGas bounds the gas of a block, twice the default: up to it x/dack prunes faster than lanes can be opened whatever
	// settlements cost, and a block whose state is at its worst takes as long as the chain can bear (docs/adr/008).
	mostBlockGas = 2 * maxBlockGas
	// minBlockBytes leaves room for the largest transaction that the mempool takes, 1 MiB, besides as much evidence as may be and
	// the commit of the largest committee.
	minBlockBytes = 2<<20 + 1<<19
	// minEvidenceBytes is more than the largest evidence there is: of an attack on light clients, with the commit and the set of 300
	// members. With less no fault could be punished.
	minEvidenceBytes = 128 << 10
	// maxEvidenceBytes is what CometBFT allows by default. A proposer panics if evidence leaves no room in its block.
	maxEvidenceBytes = 1 << 20
	// minGovDeposit and maxGovDeposit bound the deposit of a proposal, in uedge: 10 EDGE, with which proposals cost more than their gas,
	// and 100,000 EDGE, which can still be found.
	minGovDeposit, maxGovDeposit = 10_000_000, 100_000_000_000
	// maxVotingPeriod bounds how long what governance did wrong stands at least.
	maxVotingPeriod = 30 * 24 * time.Hour
	// minVotingPeriod and minExpeditedVotingPeriod leave time for a quorum to vote: without one no vote could make them longer again.
	minVotingPeriod, minExpeditedVotingPeriod = time.Hour, 10 * time.Minute
	// maxGasPerByte is what x/auth may take for a byte of a transaction, five times the default. A settlement of 1,000 acknowledgements
	// wants about 16,000,000 gas then, and a proposal that lowers it far less than a transaction may.
	maxGasPerByte = 50
	// maxGasPerSignature is what it may take for a signature, a hundred times the default of the dearest.
	maxGasPerSignature = 100_000
)

// checkConsensus returns ErrUnsafeParams if the consensus parameters would stop the chain, or have CometBFT leave faults out. No vote
// could mend it then.
func checkConsensus(p *cmtproto.ConsensusParams) error {
	if p == nil || p.Block == nil || p.Evidence == nil || p.Validator == nil {
		return errorsmod.Wrap(ErrUnsafeParams, "parameters of consensus are missing")
	}
	// x/epoch hands over to members with keys of this type alone, and CometBFT stops at an update with one of another type.
	if types := p.Validator.PubKeyTypes; !slices.Equal(types, []string{cmttypes.ABCIPubKeyTypeEd25519}) {
		return errorsmod.Wrapf(ErrUnsafeParams, "consensus validator.pub_key_types is %q, want only %s", types, cmttypes.ABCIPubKeyTypeEd25519)
	}
	if gas := p.Block.MaxGas; gas < maxTxGas || gas > mostBlockGas {
		return errorsmod.Wrapf(ErrUnsafeParams, "consensus block.max_gas is %d, want %d, which one transaction may want, to %d",
			gas, maxTxGas, mostBlockGas)
	}
	if bytes := p.Block.MaxBytes; bytes < minBlockBytes {
		return errorsmod.Wrapf(ErrUnsafeParams, "consensus block.max_bytes is %d, want at least %d", bytes, minBlockBytes)
	}
	if bytes := p.Evidence.MaxBytes; bytes < minEvidenceBytes || bytes > maxEvidenceBytes {
		return errorsmod.Wrapf(ErrUnsafeParams, "consensus evidence.max_bytes is %d, want %d to %d", bytes, minEvidenceBytes, maxEvidenceBytes)
	}
	// The application extends no votes, and CometBFT stops if it has to.
	if p.Abci != nil && p.Abci.VoteExtensionsEnableHeight != 0 {
		return errorsmod.Wrapf(ErrUnsafeParams, "consensus abci.vote_extensions_enable_height is %d, want 0", p.Abci.VoteExtensionsEnableHeight)
	}
	// The SDK would obey this account instead of x/gov.
	if p.Authority != nil && p.Authority.Authority != "" {
		return errorsmod.Wrapf(ErrUnsafeParams, "consensus authority is %q, want none: parameters change by x/gov alone", p.Authority.Authority)
	}
	return nil
}

// checkGov returns ErrUnsafeParams if with the parameters of x/gov proposals would cost nothing, a few could decide for all, or hardly
// one could pass again.
func checkGov(p *govv1.Params) error {
	if p == nil {
		return errorsmod.Wrap(ErrUnsafeParams, "no parameters of x/gov")
	}
	for _, deposit := range []struct {
		name  string
		coins sdk.Coins
	}{
		{"min_deposit", p.MinDeposit},
		{"expedited_min_deposit", p.ExpeditedMinDeposit},
	} {
		least, most := math.NewInt(minGovDeposit), math.NewInt(maxGovDeposit)
		if c := deposit.coins; len(c) != 1 || c[0].Denom != BondDenom || c[0].Amount.LT(least) || c[0].Amount.GT(most) {
			return errorsmod.Wrapf(ErrUnsafeParams, "gov %s is %s, want %s to %s%s", deposit.name, c, least, most, BondDenom)
		}
	}
	if period := p.VotingPeriod; period == nil || *period < minVotingPeriod || *period > maxVotingPeriod {
		return errorsmod.Wrapf(ErrUnsafeParams, "gov voting_period is %s, want %s to %s", period, minVotingPeriod, maxVotingPeriod)
	}
	if period := p.ExpeditedVotingPeriod; period == nil || *period < minExpeditedVotingPeriod {
		return errorsmod.Wrapf(ErrUnsafeParams, "gov expedited_voting_period is %s, want at least %s", period, minExpeditedVotingPeriod)
	}
	for _, part := range []struct {
		name, is    string
		least, most math.LegacyDec
	}{
		{"quorum", p.Quorum, math.LegacyNewDecWithPrec(1, 1), math.LegacyNewDecWithPrec(67, 2)},
		{"threshold", p.Threshold, math.LegacyNewDecWithPrec(5, 1), math.LegacyNewDecWithPrec(67, 2)},
		{"veto_threshold", p.VetoThreshold, math.LegacyNewDecWithPrec(1, 1), math.LegacyOneDec()},
		// x/gov does not look at this one before it takes a deposit, and takes none if it is no number.
		{"min_deposit_ratio", p.MinDepositRatio, math.LegacyZeroDec(), math.LegacyOneDec()},
	} {
		is, err := math.LegacyNewDecFromStr(part.is)
		if err != nil || is.LT(part.least) || is.GT(part.most) {
			return errorsmod.Wrapf(ErrUnsafeParams, "gov %s is %q, want %s to %s", part.name, part.is, part.least, part.most)
		}
	}
	return nil
}

// checkAuth returns ErrUnsafeParams if with the parameters of x/auth no transaction would have enough gas for what it is made of.
func checkAuth(p authtypes.Params) error {
	for _, part := range []struct {
		name     string
		is, most uint64
	}{
		{"tx_size_cost_per_byte", p.TxSizeCostPerByte, maxGasPerByte},
		{"sig_verify_cost_ed25519", p.SigVerifyCostED25519, maxGasPerSignature},
		{"sig_verify_cost_secp256k1", p.SigVerifyCostSecp256k1, maxGasPerSignature},
		{"sig_verify_cost_ml_dsa_65", p.SigVerifyCostMlDsa65, maxGasPerSignature},
	} {
		if part.is > part.most {
			return errorsmod.Wrapf(ErrUnsafeParams, "auth %s is %d, want at most %d", part.name, part.is, part.most)
		}
	}
	return nil
}
