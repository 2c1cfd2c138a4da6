package devnet

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	rpchttp "github.com/cometbft/cometbft/rpc/client/http"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/types/bech32"
	"github.com/cosmos/cosmos-sdk/types/query"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"

	"github.com/edgechain/edge/testutil/accounting"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

// Chain asks the chain over RPC.
type Chain struct {
	RPC *rpchttp.HTTP
}

// newChain returns a Chain for an RPC address such as "http://127.0.0.1:26657".
func newChain(address string) (*Chain, error) {
	rpc, err := rpchttp.New(address, "/websocket")
	if err != nil {
		return nil, fmt.Errorf("rpc client of %s: %w", address, err)
	}
	return &Chain{RPC: rpc}, nil
}

// At is a connection for query clients that sees the state after a height; 0 is the newest.
func (c *Chain) At(height int64) client.Context {
	return client.Context{}.WithClient(c.RPC).WithHeight(height)
}

// Height returns the newest committed height.
func (c *Chain) Height(ctx context.Context) (int64, error) {
	s, err := c.RPC.Status(ctx)
	if err != nil {
		return 0, err
	}
	return s.SyncInfo.LatestBlockHeight, nil
}

// Epoch returns the open epoch.
func (c *Chain) Epoch(ctx context.Context) (epochtypes.QueryCurrentResponse, error) {
	res, err := epochtypes.NewQueryClient(c.At(0)).Current(ctx, &epochtypes.QueryCurrentRequest{})
	if err != nil {
		return epochtypes.QueryCurrentResponse{}, err
	}
	return *res, nil
}

// EpochRecord returns the record of an epoch.
func (c *Chain) EpochRecord(ctx context.Context, number uint64) (epochtypes.Epoch, error) {
	res, err := epochtypes.NewQueryClient(c.At(0)).Epoch(ctx, &epochtypes.QueryEpochRequest{Number: number})
	if err != nil {
		return epochtypes.Epoch{}, err
	}
	return res.Epoch, nil
}

// WaitEpoch waits until an epoch is open.
func (n *Network) WaitEpoch(ctx context.Context, number uint64) error {
	return n.poll(ctx, fmt.Sprintf("epoch %d to open", number), func(ctx context.Context) error {
		e, err := n.Chain.Epoch(ctx)
		if err == nil && e.Epoch.Number < number {
			err = fmt.Errorf("epoch %d, %s left", e.Epoch.Number, e.TimeLeft)
		}
		return err
	})
}

// WaitEpochDone waits until the closing of an epoch has ended and returns its record.
func (n *Network) WaitEpochDone(ctx context.Context, number uint64) (epochtypes.Epoch, error) {
	var record epochtypes.Epoch
	err := n.poll(ctx, fmt.Sprintf("epoch %d to be done", number), func(ctx context.Context) error {
		var err error
		record, err = n.Chain.EpochRecord(ctx, number)
		if err == nil && record.Phase != epochtypes.PHASE_DONE {
			err = errors.New(record.Phase.String())
		}
		return err
	})
	return record, err
}

// WaitHeight waits until the first validator has committed a height.
func (n *Network) WaitHeight(ctx context.Context, height int64) error {
	return n.Nodes[0].WaitHeight(ctx, height)
}

// Parties are the addresses between which the settlement coin moves on this network.
func (n *Network) Parties() accounting.Parties {
	return accounting.Parties{
		Accounts:  moduleAddress("dack"),
		Rewards:   moduleAddress("rewards"),
		Operator:  n.Operator,
		Community: moduleAddress(distrtypes.ModuleName),
	}
}

// moduleAddress returns the address of a module's account. The prefix is given here because the SDK keeps it in a global
// that this library leaves alone.
func moduleAddress(name string) string {
	address, err := bech32.ConvertAndEncode("edge", authtypes.NewModuleAddress(name))
	if err != nil {
		panic(err) // a hash of fixed length always encodes
	}
	return address
}

// Snapshot reads every balance and the supply of a coin as they were after a height.
func (c *Chain) Snapshot(ctx context.Context, height int64, denom string) (accounting.Snapshot, error) {
	s := accounting.Snapshot{Height: height, Balances: map[string]math.Int{}}
	bank := banktypes.NewQueryClient(c.At(height))
	supply, err := bank.SupplyOf(ctx, &banktypes.QuerySupplyOfRequest{Denom: denom})
	if err != nil {
		return s, fmt.Errorf("supply at height %d: %w", height, err)
	}
	s.Supply = supply.Amount.Amount
	page := &query.PageRequest{Limit: 200}
	for {
		res, err := bank.DenomOwners(ctx, &banktypes.QueryDenomOwnersRequest{Denom: denom, Pagination: page})
		if err != nil {
			return s, fmt.Errorf("balances at height %d: %w", height, err)
		}
		for _, o := range res.DenomOwners {
			s.Balances[o.Address] = o.Balance.Amount
		}
		if len(res.Pagination.GetNextKey()) == 0 {
			return s, nil
		}
		page = &query.PageRequest{Limit: 200, Key: res.Pagination.NextKey}
	}
}

// Tx sends a transaction with a key of the first validator's keyring and waits until it is in a block. A transaction that
// fails there is an error with its log.
func (n *Network) Tx(ctx context.Context, args ...string) error {
	return n.Nodes[0].Tx(ctx, args...)
}

// Tx sends a transaction with a key of the validator's keyring through any validator that runs and waits until it is in a
// block. A transaction that fails there is an error with its log.
func (v *Node) Tx(ctx context.Context, args ...string) error {
	via := v
	if !v.Running() {
		if via = v.n.running(); via == nil {
			return errors.New("no validator runs")
		}
	}
	args = append(args, "--gas", "auto", "--gas-adjustment", "1.5", "--gas-prices", "0.0025"+StakeDenom, "--yes", "--output", "json",
		"--node", "tcp://"+loopback(via.Ports.RPC))
	out, err := v.Edged(ctx, args...)
	if err != nil {
		return err
	}
	if err := v.n.included(ctx, out); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// included waits until the transaction that a command says it has sent is in a block.
func (n *Network) included(ctx context.Context, printed string) error {
	_, err := n.TxData(ctx, printed)
	return err
}

// TxData waits until the transaction that a command says it has sent is in a block and returns the data of its result. A
// transaction that failed, there or before, is an error.
func (n *Network) TxData(ctx context.Context, printed string) ([]byte, error) {
	var sent struct {
		TxHash string `json:"txhash"`
		Code   uint32 `json:"code"`
		RawLog string `json:"raw_log"`
	}
	if err := json.Unmarshal([]byte(lastLine(printed)), &sent); err != nil {
		return nil, fmt.Errorf("answer: %w: %q", err, printed)
	}
	if sent.Code != 0 {
		return nil, fmt.Errorf("code %d: %s", sent.Code, sent.RawLog)
	}
	hash, err := hex.DecodeString(sent.TxHash)
	if err != nil {
		return nil, fmt.Errorf("transaction hash %q: %w", sent.TxHash, err)
	}
	var data []byte
	err = n.poll(ctx, "transaction "+sent.TxHash, func(ctx context.Context) error {
		via := n.running()
		if via == nil {
			return final{errors.New("no validator runs")}
		}
		res, err := via.Chain.RPC.Tx(ctx, hash, false)
		if err != nil {
			return err // not in a block yet, or the node is busy
		}
		if res.TxResult.Code != 0 {
			return final{fmt.Errorf("code %d of %s: %s", res.TxResult.Code, res.TxResult.Codespace, res.TxResult.Log)}
		}
		data = res.TxResult.Data
		return nil
	})
	return data, err
}

func lastLine(s string) string {
	s = strings.TrimRight(s, "\n")
	return s[strings.LastIndexByte(s, '\n')+1:]
}
