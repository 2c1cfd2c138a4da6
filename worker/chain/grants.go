package chain

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cosmos/gogoproto/proto"

	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"
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

// Left is what can be spent of a coin at a block time for transactions of a message; nil is no limit.
func (f *FeeGrant) Left(denom string, at time.Time, msg sdk.Msg) *big.Int {
	switch {
	case f == nil, !f.Until.IsZero() && at.After(f.Until), f.Messages != nil && !slices.Contains(f.Messages, sdk.MsgTypeURL(msg)):
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
func grantedMessages() []string {
	return []string{sdk.MsgTypeURL(&dacktypes.MsgSettle{}), sdk.MsgTypeURL(&nodetypes.MsgReport{})}
}

const (
	// grantPage is how many grants are asked for at a time, and maxGrantPages how often. What granter gives to grantee is up to
	// the granter alone; allowances for a grantee can come from anybody who pays for the transactions.
	grantPage     = 200
	maxGrantPages = 50
)

// Grants returns what granter lets grantee do, and feeGranter lets it spend. Either may be empty: then nothing is asked.
//
// A node answers the question for one grant that is not there with an error that it also uses for faults of its own. So what
// is missing is told by lists, which are empty.
func (n *Node) Grants(ctx context.Context, granter, feeGranter, grantee string) (Grants, error) {
	grants := Grants{Messages: map[string]time.Time{}}
	var err error
	if granter != "" {
		if grants.Messages, err = n.authorizations(ctx, granter, grantee); err != nil {
			return Grants{}, fmt.Errorf("grants of %s: %w", granter, err)
		}
	}
	if feeGranter != "" {
		if grants.Fees, err = n.allowance(ctx, feeGranter, grantee); err != nil {
			return Grants{}, fmt.Errorf("fee grant of %s: %w", feeGranter, err)
		}
	}
	return grants, nil
}

// authorizations returns the messages of grantedMessages that a granter lets a grantee execute, and until when.
func (n *Node) authorizations(ctx context.Context, granter, grantee string) (map[string]time.Time, error) {
	granted := map[string]time.Time{}
	var next []byte
	for range maxGrantPages {
		req := authz.QueryGrantsRequest{Granter: granter, Grantee: grantee, Pagination: &query.PageRequest{Key: next, Limit: grantPage}}
		var res authz.QueryGrantsResponse
		if err := n.queryRaw(ctx, "/cosmos.authz.v1beta1.Query/Grants", &req, &res); err != nil {
			return nil, err
		}
		for _, grant := range res.Grants {
			var generic authz.GenericAuthorization
			if grant == nil || grant.Authorization == nil || grant.Authorization.TypeUrl != "/"+proto.MessageName(&generic) {
				continue // of a kind that settles nothing
			}
			if err := generic.Unmarshal(grant.Authorization.Value); err != nil {
				return nil, fmt.Errorf("authorization: %w", err)
			}
			if !slices.Contains(grantedMessages(), generic.Msg) {
				continue
			}
			var until time.Time
			if grant.Expiration != nil {
				until = *grant.Expiration
			}
			granted[generic.Msg] = until
		}
		if res.Pagination == nil || len(res.Pagination.NextKey) == 0 {
			return granted, nil
		}
		next = res.Pagination.NextKey
	}
	return nil, fmt.Errorf("there are more than %d", grantPage*maxGrantPages)
}

// allowance returns what a granter lets a grantee spend in fees, nil if nothing.
func (n *Node) allowance(ctx context.Context, granter, grantee string) (*FeeGrant, error) {
	var res feegrant.QueryAllowanceResponse
	failed := n.queryRaw(ctx, "/cosmos.feegrant.v1beta1.Query/Allowance", &feegrant.QueryAllowanceRequest{Granter: granter, Grantee: grantee}, &res)
	switch {
	case failed == nil && res.Allowance != nil:
		return feeGrantOf(n.enc, res.Allowance.Allowance)
	case ctx.Err() != nil:
		return nil, failed
	}
	var next []byte
	for range maxGrantPages {
		req := feegrant.QueryAllowancesRequest{Grantee: grantee, Pagination: &query.PageRequest{Key: next, Limit: grantPage}}
		var list feegrant.QueryAllowancesResponse
		if err := n.queryRaw(ctx, "/cosmos.feegrant.v1beta1.Query/Allowances", &req, &list); err != nil {
			return nil, err
		}
		for _, grant := range list.Allowances {
			if grant != nil && grant.Granter == granter {
				return feeGrantOf(n.enc, grant.Allowance)
			}
		}
		if list.Pagination == nil || len(list.Pagination.NextKey) == 0 {
			return nil, nil
		}
		next = list.Pagination.NextKey
	}
	return nil, fmt.Errorf("it is not among the first %d to %s: %w", grantPage*maxGrantPages, grantee, failed)
}

// queryRaw asks without taking apart what the answer has packed: grants can be of kinds that the worker does not know.
func (n *Node) queryRaw(ctx context.Context, method string, req interface{ Marshal() ([]byte, error) }, res interface{ Unmarshal(b []byte) error }) error {
	data, err := req.Marshal()
	if err != nil {
		return err
	}
	answer, err := n.abciRPC.ctx.WithCmdContext(ctx).QueryABCI(abci.RequestQuery{Path: method, Data: data})
	if err != nil {
		return err
	}
	return res.Unmarshal(answer.Value)
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
