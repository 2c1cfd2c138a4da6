package chain

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/authz"
	"github.com/cosmos/cosmos-sdk/x/feegrant"

	dacktypes "github.com/edgechain/edge/x/dack/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// Grants are what an account has granted to the hot account that acts for it.
type Grants struct {
	// Messages that the hot account may execute for the granter, by type URL, and until when; a zero time is for ever.
	Messages map[string]time.Time
	// Fees that the hot account may spend of another account; nil if nothing was granted.
	Fees *FeeGrant
}

// May reports whether a kind of message is granted at a block time.
func (g Grants) May(msg sdk.Msg, at time.Time) bool {
	until, ok := g.Messages[sdk.MsgTypeURL(msg)]
	return ok && (until.IsZero() || !until.Before(at))
}

// FeeGrant is an allowance of x/feegrant.
type FeeGrant struct {
	// Until is when it ends; a zero time is never.
	Until time.Time
	// Messages that it pays for, by type URL; nil is all.
	Messages []string
	// total and period are what is left, with a reset of the period; nil is no limit.
	total, period, periodLimit sdk.Coins
	reset                      time.Time
	limited, periodic          bool
}

// Left is what can be spent of a coin at a block time; nil is no limit.
func (f *FeeGrant) Left(denom string, at time.Time) *big.Int {
	switch {
	case f == nil, !f.Until.IsZero() && at.After(f.Until), f.Messages != nil && !slices.Contains(f.Messages, sdk.MsgTypeURL(&authz.MsgExec{})):
		return new(big.Int)
	case !f.limited && !f.periodic:
		return nil
	}
	var left *big.Int
	if f.limited {
		left = f.total.AmountOf(denom).BigInt()
	}
	if f.periodic {
		period := f.period
		if !at.Before(f.reset) {
			period = f.periodLimit
		}
		if amount := period.AmountOf(denom).BigInt(); left == nil || amount.Cmp(left) < 0 {
			left = amount
		}
	}
	return left
}

// grantedMessages are what the hot account may have to do for the account that grants.
func grantedMessages() []sdk.Msg { return []sdk.Msg{&dacktypes.MsgSettle{}, &nodetypes.MsgReport{}} }

// Grants returns what granter lets grantee do, and feeGranter lets it spend. Either may be empty: then nothing is asked.
func (n *Node) Grants(ctx context.Context, granter, feeGranter, grantee string) (Grants, error) {
	grants := Grants{Messages: map[string]time.Time{}}
	if granter != "" {
		for _, msg := range grantedMessages() {
			kind := sdk.MsgTypeURL(msg)
			res, err := authz.NewQueryClient(n).Grants(ctx, &authz.QueryGrantsRequest{Granter: granter, Grantee: grantee, MsgTypeUrl: kind})
			if notGranted(err) {
				continue
			}
			if err != nil {
				return Grants{}, fmt.Errorf("grant of %s: %w", kind, err)
			}
			for _, grant := range res.Grants {
				var until time.Time
				if grant.Expiration != nil {
					until = *grant.Expiration
				}
				grants.Messages[kind] = until
			}
		}
	}
	if feeGranter == "" {
		return grants, nil
	}
	res, err := feegrant.NewQueryClient(n).Allowance(ctx, &feegrant.QueryAllowanceRequest{Granter: feeGranter, Grantee: grantee})
	if notGranted(err) {
		return grants, nil
	}
	if err != nil {
		return Grants{}, fmt.Errorf("fee grant of %s: %w", feeGranter, err)
	}
	if res.Allowance != nil {
		if grants.Fees, err = feeGrantOf(n.enc, res.Allowance.Allowance); err != nil {
			return Grants{}, fmt.Errorf("fee grant of %s: %w", feeGranter, err)
		}
	}
	return grants, nil
}

// notGranted reports whether an answer says that there is no such grant. The SDK says that in the way of an invalid request;
// the addresses that are asked for are valid.
func notGranted(err error) bool {
	switch status.Code(err) {
	case codes.NotFound, codes.InvalidArgument:
		return true
	default:
		return false
	}
}

// feeGrantOf reads an allowance of one of the SDK's kinds.
func feeGrantOf(enc Encoding, packed *codectypes.Any) (*FeeGrant, error) {
	grant := &FeeGrant{}
	for range 2 { // a list of messages around an allowance, which is never around another list
		var allowance feegrant.FeeAllowanceI
		if err := enc.Registry.UnpackAny(packed, &allowance); err != nil {
			return nil, fmt.Errorf("allowance: %w", err)
		}
		switch a := allowance.(type) {
		case *feegrant.AllowedMsgAllowance:
			grant.Messages, packed = append([]string{}, a.AllowedMessages...), a.Allowance
		case *feegrant.BasicAllowance:
			grant.basic(*a)
			return grant, nil
		case *feegrant.PeriodicAllowance:
			grant.basic(a.Basic)
			grant.periodic, grant.period, grant.periodLimit, grant.reset = true, a.PeriodCanSpend, a.PeriodSpendLimit, a.PeriodReset
			return grant, nil
		default:
			return nil, fmt.Errorf("allowance of type %T is not known", allowance)
		}
	}
	return nil, fmt.Errorf("allowance of type %s is not known", packed.GetTypeUrl())
}

func (f *FeeGrant) basic(a feegrant.BasicAllowance) {
	if a.Expiration != nil {
		f.Until = *a.Expiration
	}
	f.limited, f.total = a.SpendLimit != nil, a.SpendLimit
}
