package chain

import (
	"fmt"

	sdkmath "cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	dacktypes "github.com/edgechain/edge/x/dack/types"
)

const (
	// maxPriceFactor is by how much a node's gas price may be above the usual one.
	maxPriceFactor = 10
	// maxGas is what any message of a client can use at most, with the factor on simulated gas: several times what the
	// largest of them, the first deposit and the registration of a key, take.
	maxGas = 1_000_000
)

// maxGasOf is for messages that touch one record only.
var maxGasOf = map[string]uint64{
	sdk.MsgTypeURL(&dacktypes.MsgUpdateClientKey{}):   600_000,
	sdk.MsgTypeURL(&dacktypes.MsgRevokeClientKey{}):   600_000,
	sdk.MsgTypeURL(&dacktypes.MsgRequestWithdrawal{}): 600_000,
}

// FeeError is a fee that a node asks for and that is beyond reason, or beyond what the user allows. Nothing was sent: what a
// transaction offers is taken, whatever it needed.
type FeeError struct {
	Node, Reason string
	// Max is what the user allows, 0 if he has not said.
	Max uint64
}

// Error implements error.
func (e *FeeError) Error() string {
	if e.Max > 0 {
		return fmt.Sprintf("node %s asks for %s; --max-fee allows %d%s", e.Node, e.Reason, e.Max, FeeDenom)
	}
	return fmt.Sprintf("node %s asks for %s; if that is right, allow it with --max-fee, in %s", e.Node, e.Reason, FeeDenom)
}

// checkPrice returns a *FeeError for a gas price that a node cannot want. The user's bound of the fee goes before it.
func (c *Client) checkPrice(price sdkmath.LegacyDec) error {
	usual, err := sdkmath.LegacyNewDecFromStr(c.cfg.GasPrice)
	if err != nil {
		return fmt.Errorf("gas price %q is not a decimal number", c.cfg.GasPrice)
	}
	if c.cfg.MaxFee > 0 || price.LTE(usual.MulInt64(maxPriceFactor)) {
		return nil
	}
	return &FeeError{Node: c.cfg.RPC, Reason: fmt.Sprintf("a gas price of %s%s, more than %d times %s", price, FeeDenom, maxPriceFactor, usual)}
}

// checkFee returns a *FeeError for a fee above the user's bound, or without one for more gas than a message can use.
func (c *Client) checkFee(msg sdk.Msg, gas uint64, fee sdk.Coin) error {
	if c.cfg.MaxFee > 0 {
		if fee.Amount.GT(sdkmath.NewIntFromUint64(c.cfg.MaxFee)) {
			return &FeeError{Node: c.cfg.RPC, Reason: "a fee of " + fee.String(), Max: c.cfg.MaxFee}
		}
		return nil
	}
	most, known := maxGasOf[sdk.MsgTypeURL(msg)]
	if !known {
		most = maxGas
	}
	if gas <= most {
		return nil
	}
	return &FeeError{Node: c.cfg.RPC, Reason: fmt.Sprintf("%d gas and a fee of %s, more than the %d gas of such a transaction", gas, fee, most)}
}
