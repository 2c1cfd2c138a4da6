package chain

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	abci "github.com/cometbft/cometbft/abci/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/cosmos/cosmos-sdk/client"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/authz"
)

// maxLog bounds what is kept of a log line of the node, in bytes.
const maxLog = 300

// Refusal is why the chain did not take a transaction. It is known by codespace and code; the log is for people.
type Refusal struct {
	Codespace string
	Code      uint32
	Log       string
}

// Error implements error.
func (r *Refusal) Error() string {
	return fmt.Sprintf("refused with %s code %d: %s", r.Codespace, r.Code, r.Log)
}

// Is reports whether the target is an error that was registered under the same codespace and code, such as the sentinel
// errors of the SDK and of the chain's modules.
func (r *Refusal) Is(target error) bool {
	registered, ok := target.(interface {
		Codespace() string
		ABCICode() uint32
	})
	return ok && registered.Codespace() == r.Codespace && registered.ABCICode() == r.Code
}

func refusal(codespace string, code uint32, log string) error {
	if code == abci.CodeTypeOK {
		return nil
	}
	if len(log) > maxLog {
		log = strings.ToValidUTF8(log[:maxLog], "") + "..."
	}
	return &Refusal{Codespace: codespace, Code: code, Log: log}
}

// Included is a transaction that stands in a committed block.
type Included struct {
	Height int64
	// Refusal is nil if the transaction was executed, else why it failed.
	Refusal error
	// Data is the encoded sdk.TxMsgData with the responses of its messages.
	Data []byte
	// GasUsed and GasWanted of its execution.
	GasUsed, GasWanted int64
}

// Broadcast hands a transaction to the node's mempool. It returns nil if the mempool took it, a *Refusal if it did not, and
// any other error if nobody knows.
func (n *Node) Broadcast(ctx context.Context, tx []byte) error {
	res, err := n.rpc.BroadcastTxSync(ctx, tx)
	if known := client.CheckCometError(err, tx); known != nil {
		return refusal(known.Codespace, known.Code, err.Error())
	}
	if err != nil {
		return err
	}
	return refusal(res.Codespace, res.Code, res.Log)
}

// FindTx returns a transaction by its hash from the node's index, or ErrTxNotFound. A node without an index answers with
// another error; ScanTx needs none.
func (n *Node) FindTx(ctx context.Context, hash []byte) (Included, error) {
	// A search by hash answers an empty list for an unknown one, where the query by hash answers a text.
	res, err := n.rpc.TxSearch(ctx, fmt.Sprintf("tx.hash='%X'", hash), false, nil, nil, "asc")
	if err != nil {
		return Included{}, err
	}
	for _, tx := range res.Txs {
		if bytes.Equal(tx.Tx.Hash(), hash) {
			return included(tx.Height, &tx.TxResult), nil
		}
	}
	return Included{}, ErrTxNotFound
}

// ScanTx looks for a transaction in the block of one committed height and returns it, or ErrTxNotFound.
func (n *Node) ScanTx(ctx context.Context, hash []byte, height int64) (Included, error) {
	block, err := n.rpc.Block(ctx, &height)
	if err != nil {
		return Included{}, err
	}
	if block.Block == nil {
		return Included{}, fmt.Errorf("the node has no block at height %d", height)
	}
	at := indexOf(block.Block.Txs, hash)
	if at < 0 {
		return Included{}, ErrTxNotFound
	}
	results, err := n.rpc.BlockResults(ctx, &height)
	if err != nil {
		return Included{}, err
	}
	if at >= len(results.TxsResults) {
		return Included{}, fmt.Errorf("height %d has %d results, want more than %d", height, len(results.TxsResults), at)
	}
	return included(height, results.TxsResults[at]), nil
}

func indexOf(txs cmttypes.Txs, hash []byte) int {
	for i, tx := range txs {
		if bytes.Equal(tx.Hash(), hash) {
			return i
		}
	}
	return -1
}

func included(height int64, res *abci.ExecTxResult) Included {
	return Included{
		Height: height, Refusal: refusal(res.Codespace, res.Code, res.Log), Data: res.Data, GasUsed: res.GasUsed, GasWanted: res.GasWanted,
	}
}

// Simulate returns the gas that a transaction would use at the newest height. It returns a *Refusal if it would fail.
func (n *Node) Simulate(ctx context.Context, tx []byte) (uint64, error) {
	res, err := n.rpc.ABCIQuery(ctx, "/app/simulate", tx)
	if err != nil {
		return 0, err
	}
	if err := refusal(res.Response.Codespace, res.Response.Code, res.Response.Log); err != nil {
		return 0, err
	}
	var answer struct {
		GasInfo struct {
			GasUsed json.Number `json:"gas_used"`
		} `json:"gas_info"`
	}
	if err := json.Unmarshal(res.Response.Value, &answer); err != nil {
		return 0, fmt.Errorf("decode simulation: %w", err)
	}
	used, err := answer.GasInfo.GasUsed.Int64()
	if err != nil || used <= 0 {
		return 0, errors.New("decode simulation: no gas used")
	}
	return uint64(used), nil
}

// DecodeResponse reads the response of a transaction's only message into msg, also if that message was executed for another
// account by one of x/authz.
func (e Encoding) DecodeResponse(data []byte, msg sdk.Msg) error {
	var txData sdk.TxMsgData
	if err := e.Codec.Unmarshal(data, &txData); err != nil {
		return fmt.Errorf("decode transaction data: %w", err)
	}
	if len(txData.MsgResponses) != 1 {
		return fmt.Errorf("decode transaction data: %d responses, want 1", len(txData.MsgResponses))
	}
	response := txData.MsgResponses[0]
	value := response.Value
	switch want := sdk.MsgTypeURL(msg); response.TypeUrl {
	case want:
	case sdk.MsgTypeURL(&authz.MsgExecResponse{}):
		var executed authz.MsgExecResponse
		if err := e.Codec.Unmarshal(value, &executed); err != nil {
			return fmt.Errorf("decode %s: %w", response.TypeUrl, err)
		}
		if len(executed.Results) != 1 {
			return fmt.Errorf("decode %s: %d results, want 1", response.TypeUrl, len(executed.Results))
		}
		value = executed.Results[0]
	default:
		return fmt.Errorf("decode transaction data: response of type %s, want %s", response.TypeUrl, want)
	}
	if err := e.Codec.Unmarshal(value, msg); err != nil {
		return fmt.Errorf("decode %s: %w", response.TypeUrl, err)
	}
	return nil
}
