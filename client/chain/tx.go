package chain

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	coretypes "github.com/cometbft/cometbft/rpc/core/types"
	cmttypes "github.com/cometbft/cometbft/types"
	gogogrpc "github.com/cosmos/gogoproto/grpc"
	"github.com/cosmos/gogoproto/proto"

	sdkmath "cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/grpc/node"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	cryptotypes "github.com/cosmos/cosmos-sdk/crypto/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	txtypes "github.com/cosmos/cosmos-sdk/types/tx"
	"github.com/cosmos/cosmos-sdk/types/tx/signing"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/edgechain/edge/ack"
	dacktypes "github.com/edgechain/edge/x/dack/types"
)

var (
	// ErrExpired reports a transaction that no block took in before its timeout height.
	ErrExpired = errors.New("transaction was not included")
	// ErrSimulation reports a transaction that failed in a simulation and was not sent.
	ErrSimulation = errors.New("chain would refuse the transaction")
	// ErrKey reports a key of the keyring that cannot sign.
	ErrKey = errors.New("cannot use key")
)

// TxError is a transaction that the chain refused. Codespace and Code are those of the sentinel error.
type TxError struct {
	Hash      string
	Codespace string
	Code      uint32
	Log       string
}

// Error implements error.
func (e *TxError) Error() string {
	return fmt.Sprintf("chain refused the transaction: %s (%s %d)", oneLine(e.Log), e.Codespace, e.Code)
}

// FundsError is an address that does not hold what a transaction needs. It is found before anything is sent.
type FundsError struct {
	Address string
	// For is what the money is needed for.
	For        string
	Need, Have sdk.Coin
}

// Error implements error.
func (e *FundsError) Error() string {
	hint := ""
	if e.For == forFees {
		hint = "; send it some, or let somebody else pay with --fee-granter"
	}
	return fmt.Sprintf("address %s needs %s for %s and has %s%s", e.Address, e.Need, e.For, e.Have, hint)
}

const (
	forFees    = "fees"
	forDeposit = "the deposit"
	// unknownGas is assumed for the fee that is named to an address that does not exist on the chain yet, for which
	// nothing can be simulated.
	unknownGas = 200_000
)

// Signer is who signs and pays for a transaction.
type Signer struct {
	Keyring keyring.Keyring
	// From is the name or the address of a key of the keyring.
	From string
	// FeeGranter is the address that pays the fees, if not empty.
	FeeGranter string
}

// Address returns the signer's address and the name of its key.
func (c *Client) Address(s Signer) (addr, name string, err error) {
	var rec *keyring.Record
	if raw, decodeErr := c.addresses.StringToBytes(s.From); decodeErr == nil {
		rec, err = s.Keyring.KeyByAddress(sdk.AccAddress(raw))
	} else {
		rec, err = s.Keyring.Key(s.From)
	}
	if err != nil {
		return "", "", fmt.Errorf("%w %q: %s", ErrKey, s.From, oneLine(err.Error()))
	}
	raw, err := rec.GetAddress()
	if err != nil {
		return "", "", fmt.Errorf("%w %q: %w", ErrKey, s.From, err)
	}
	addr, err = c.addresses.BytesToString(raw)
	return addr, rec.Name, err
}

// TxResult is a transaction in a block.
type TxResult struct {
	Hash    string   `json:"tx_hash"`
	Height  int64    `json:"height"`
	GasUsed int64    `json:"gas_used"`
	Fee     sdk.Coin `json:"fee"`
}

// Deposit adds to the account of an owner and opens it with the first deposit. An empty owner is the signer. It returns
// the account's id. The coin must be the settlement coin.
func (c *Client) Deposit(ctx context.Context, s Signer, owner string, amount sdk.Coin) (uint64, TxResult, error) {
	sender, _, err := c.Address(s)
	if err != nil {
		return 0, TxResult{}, err
	}
	if owner == "" {
		owner = sender
	}
	have, err := c.Balance(ctx, sender, amount.Denom)
	if err != nil {
		return 0, TxResult{}, err
	}
	if have.Amount.LT(amount.Amount) {
		return 0, TxResult{}, &FundsError{Address: sender, For: forDeposit, Need: amount, Have: have}
	}
	var res dacktypes.MsgDepositResponse
	tx, err := c.Send(ctx, s, &dacktypes.MsgDeposit{Sender: sender, Owner: owner, Amount: amount}, &res)
	return res.AccountId, tx, err
}

// RequestWithdrawal asks for an amount of the signer's account back. It returns the epoch at whose opening it is due.
func (c *Client) RequestWithdrawal(ctx context.Context, s Signer, amount sdk.Coin) (uint64, TxResult, error) {
	owner, _, err := c.Address(s)
	if err != nil {
		return 0, TxResult{}, err
	}
	var res dacktypes.MsgRequestWithdrawalResponse
	tx, err := c.Send(ctx, s, &dacktypes.MsgRequestWithdrawal{Owner: owner, Amount: amount}, &res)
	return res.PaidFrom, tx, err
}

// KeyProof is what a client key signs to be registered with an account.
func KeyProof(chainID string, accountID uint64) []byte {
	return ack.AppendKeyProofSignBytes(nil, ack.HashChainID(chainID), accountID)
}

// AddClientKey registers a key with the signer's account. The proof is the key's signature over KeyProof. It returns the
// key's id.
func (c *Client) AddClientKey(ctx context.Context, s Signer, public, proof []byte, spendLimit sdkmath.Int, lastEpoch uint64) (uint64, TxResult, error) {
	owner, _, err := c.Address(s)
	if err != nil {
		return 0, TxResult{}, err
	}
	var res dacktypes.MsgAddClientKeyResponse
	tx, err := c.Send(ctx, s, &dacktypes.MsgAddClientKey{
		Owner: owner, PublicKey: public, Proof: proof, SpendLimit: spendLimit, LastEpoch: lastEpoch,
	}, &res)
	return res.KeyId, tx, err
}

// UpdateClientKey changes the spend limit of a key of the signer's account, from the next epoch on, and its last epoch.
func (c *Client) UpdateClientKey(ctx context.Context, s Signer, keyID uint64, spendLimit sdkmath.Int, lastEpoch uint64) (TxResult, error) {
	owner, _, err := c.Address(s)
	if err != nil {
		return TxResult{}, err
	}
	return c.Send(ctx, s, &dacktypes.MsgUpdateClientKey{Owner: owner, KeyId: keyID, SpendLimit: spendLimit, LastEpoch: lastEpoch},
		&dacktypes.MsgUpdateClientKeyResponse{})
}

// RevokeClientKey ends a key of the signer's account with the current epoch. It returns the last epoch that the key can
// acknowledge.
func (c *Client) RevokeClientKey(ctx context.Context, s Signer, keyID uint64) (uint64, TxResult, error) {
	owner, _, err := c.Address(s)
	if err != nil {
		return 0, TxResult{}, err
	}
	var res dacktypes.MsgRevokeClientKeyResponse
	tx, err := c.Send(ctx, s, &dacktypes.MsgRevokeClientKey{Owner: owner, KeyId: keyID}, &res)
	return res.LastEpoch, tx, err
}

// Send simulates a message, pays what it costs, signs, broadcasts, and waits until a block has it. The response of the
// message is decoded into res. Errors are *FundsError, *TxError, ErrExpired, ErrKey and those of queries.
func (c *Client) Send(ctx context.Context, s Signer, msg sdk.Msg, res proto.Message) (TxResult, error) {
	st, err := c.Status(ctx)
	if err != nil {
		return TxResult{}, err
	}
	if st.CatchingUp {
		return TxResult{}, fmt.Errorf("%w: node %s is at height %d and catching up", ErrBehind, c.cfg.RPC, st.Height)
	}
	addr, name, err := c.Address(s)
	if err != nil {
		return TxResult{}, err
	}
	price, err := c.gasPrice(ctx)
	if err != nil {
		return TxResult{}, err
	}
	if err := c.checkPrice(price); err != nil {
		return TxResult{}, err
	}
	payer := addr
	if s.FeeGranter != "" {
		if _, err := c.addresses.StringToBytes(s.FeeGranter); err != nil {
			return TxResult{}, fmt.Errorf("fee granter %q: %w", s.FeeGranter, err)
		}
		payer = s.FeeGranter
	}
	number, sequence, err := c.signerAccount(ctx, addr)
	if errors.Is(err, ErrNotFound) {
		return TxResult{}, &FundsError{Address: addr, For: forFees, Need: fee(price, unknownGas), Have: sdk.NewInt64Coin(FeeDenom, 0)}
	}
	if err != nil {
		return TxResult{}, err
	}
	rec, err := s.Keyring.Key(name)
	if err != nil {
		return TxResult{}, fmt.Errorf("%w %q: %s", ErrKey, name, oneLine(err.Error()))
	}
	public, err := rec.GetPubKey()
	if err != nil {
		return TxResult{}, fmt.Errorf("%w %q: %w", ErrKey, name, err)
	}
	b := txBuilder{
		chainID: st.ChainID, number: number, sequence: sequence, public: public, granter: s.FeeGranter,
		timeout: min(uint64(max(st.Height, 0))+c.cfg.InclusionBlocks, math.MaxInt64),
	}
	gas, err := c.simulate(ctx, &b, msg)
	if err != nil {
		return TxResult{}, err
	}
	b.gas, b.fee = gas, fee(price, gas)
	if err := c.checkFee(msg, b.gas, b.fee); err != nil {
		return TxResult{}, err
	}
	have, err := c.Balance(ctx, payer, FeeDenom)
	if err != nil {
		return TxResult{}, err
	}
	if have.Amount.LT(b.fee.Amount) {
		return TxResult{}, &FundsError{Address: payer, For: forFees, Need: b.fee, Have: have}
	}
	raw, err := b.build(msg, func(signBytes []byte) ([]byte, error) {
		sig, _, err := s.Keyring.Sign(name, signBytes, signing.SignMode_SIGN_MODE_DIRECT)
		if err != nil {
			return nil, fmt.Errorf("%w %q: %s", ErrKey, name, oneLine(err.Error()))
		}
		return sig, nil
	})
	if err != nil {
		return TxResult{}, err
	}
	included, err := c.broadcast(ctx, raw, b.timeout)
	if err != nil {
		return TxResult{}, err
	}
	out := TxResult{Hash: included.Hash.String(), Height: included.Height, GasUsed: included.TxResult.GasUsed, Fee: b.fee}
	if included.TxResult.Code != 0 {
		return out, &TxError{Hash: out.Hash, Codespace: included.TxResult.Codespace, Code: included.TxResult.Code, Log: included.TxResult.Log}
	}
	if err := decodeResponse(included.TxResult.Data, res); err != nil {
		return out, fmt.Errorf("transaction %s: %w", out.Hash, err)
	}
	return out, nil
}

// fee rounds up: a fee below the node's minimum is refused.
func fee(price sdkmath.LegacyDec, gas uint64) sdk.Coin {
	return sdk.Coin{Denom: FeeDenom, Amount: price.MulInt(sdkmath.NewIntFromUint64(gas)).Ceil().TruncateInt()}
}

// gasPrice returns what the node wants at least, in FeeDenom.
func (c *Client) gasPrice(ctx context.Context) (sdkmath.LegacyDec, error) {
	fallback, err := sdkmath.LegacyNewDecFromStr(c.cfg.GasPrice)
	if err != nil || fallback.IsNegative() {
		return sdkmath.LegacyDec{}, fmt.Errorf("gas price %q is not a decimal number", c.cfg.GasPrice)
	}
	r, err := call(ctx, c, "minimum gas price", func(ctx context.Context, conn gogogrpc.ClientConn) (*node.ConfigResponse, error) {
		return node.NewServiceClient(conn).Config(ctx, &node.ConfigRequest{})
	})
	if err != nil {
		if errors.Is(err, ErrUnavailable) || ctx.Err() != nil {
			return sdkmath.LegacyDec{}, err
		}
		return fallback, nil // a node need not offer this query
	}
	prices, err := sdk.ParseDecCoins(strings.ReplaceAll(r.MinimumGasPrice, ";", ","))
	if err != nil {
		return fallback, nil //nolint:nilerr // a minimum that does not parse binds nobody
	}
	if p := prices.AmountOf(FeeDenom); p.IsPositive() {
		return p, nil
	}
	if prices.IsZero() {
		return fallback, nil
	}
	return sdkmath.LegacyDec{}, fmt.Errorf("node %s takes no fees in %s, but %s", c.cfg.RPC, FeeDenom, prices)
}

func (c *Client) signerAccount(ctx context.Context, addr string) (number, sequence uint64, err error) {
	r, err := call(ctx, c, "address "+addr, func(ctx context.Context, conn gogogrpc.ClientConn) (*authtypes.QueryAccountInfoResponse, error) {
		return authtypes.NewQueryClient(conn).AccountInfo(ctx, &authtypes.QueryAccountInfoRequest{Address: addr})
	})
	if err != nil {
		return 0, 0, err
	}
	if r.Info == nil {
		return 0, 0, fmt.Errorf("%w: address %s", ErrNotFound, addr)
	}
	return r.Info.AccountNumber, r.Info.Sequence, nil
}

func (c *Client) simulate(ctx context.Context, b *txBuilder, msg sdk.Msg) (uint64, error) {
	raw, err := b.build(msg, func([]byte) ([]byte, error) { return nil, nil })
	if err != nil {
		return 0, err
	}
	r, err := call(ctx, c, "simulation", func(ctx context.Context, conn gogogrpc.ClientConn) (*txtypes.SimulateResponse, error) {
		return txtypes.NewServiceClient(conn).Simulate(ctx, &txtypes.SimulateRequest{TxBytes: raw})
	})
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrSimulation, err)
	}
	if r.GasInfo == nil || r.GasInfo.GasUsed == 0 {
		return 0, errors.New("simulation says nothing about gas")
	}
	if r.GasInfo.GasUsed > math.MaxUint32 {
		return 0, &FeeError{Node: c.cfg.RPC, Reason: fmt.Sprintf("%d gas, which no block takes", r.GasInfo.GasUsed)}
	}
	return uint64(math.Ceil(float64(r.GasInfo.GasUsed) * c.cfg.GasAdjustment)), nil
}

// broadcast sends a transaction and waits until a block has it or no later block can. A mempool that took it proves
// nothing, and one that says it has it already is no failure.
func (c *Client) broadcast(ctx context.Context, raw []byte, timeout uint64) (*coretypes.ResultTx, error) {
	hash := cmttypes.Tx(raw).Hash()
	name := strings.ToUpper(hex.EncodeToString(hash))
	sendCtx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	r, err := client.Context{}.WithClient(c.rpc).WithCmdContext(sendCtx).BroadcastTxSync(raw)
	cancel()
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: node %s, broadcast: %s", ErrUnavailable, c.cfg.RPC, oneLine(err.Error()))
	case r.Code != 0 && (r.Codespace != sdkerrors.RootCodespace || r.Code != sdkerrors.ErrTxInMempoolCache.ABCICode()):
		log := r.RawLog
		if log == "" {
			log = fmt.Sprintf("code %d", r.Code)
		}
		return nil, &TxError{Hash: name, Codespace: r.Codespace, Code: r.Code, Log: log}
	}
	tick := time.NewTicker(c.cfg.PollInterval)
	defer tick.Stop()
	var height int64
	for {
		// The height is read before the look: a transaction that is not there at a height past its timeout never will be.
		past := height > 0 && uint64(height) > timeout
		lookCtx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
		res, err := c.rpc.Tx(lookCtx, hash, false)
		cancel()
		if err == nil {
			return res, nil
		}
		if past {
			return nil, fmt.Errorf("%w: %s, up to height %d", ErrExpired, name, timeout)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for transaction %s: %w", name, ctx.Err())
		case <-tick.C:
		}
		if st, err := c.Status(ctx); err == nil {
			height = st.Height
		}
	}
}

// decodeResponse reads the response of a transaction's only message.
func decodeResponse(data []byte, res proto.Message) error {
	var all sdk.TxMsgData
	if err := proto.Unmarshal(data, &all); err != nil {
		return fmt.Errorf("decode response: %w", err)
	}
	if len(all.MsgResponses) != 1 {
		return fmt.Errorf("transaction has %d responses, want 1", len(all.MsgResponses))
	}
	if want := "/" + proto.MessageName(res); all.MsgResponses[0].TypeUrl != want {
		return fmt.Errorf("response is a %s, want %s", oneLine(all.MsgResponses[0].TypeUrl), want)
	}
	if err := proto.Unmarshal(all.MsgResponses[0].Value, res); err != nil {
		return fmt.Errorf("decode response: %w", err)
	}
	return nil
}

// txBuilder lays out a transaction with one message and one direct signature. It is written out here because the SDK's
// builder writes addresses with the global configuration.
type txBuilder struct {
	chainID          string
	number, sequence uint64
	public           cryptotypes.PubKey
	granter          string
	timeout          uint64
	gas              uint64
	fee              sdk.Coin
}

func (b *txBuilder) build(msg sdk.Msg, sign func([]byte) ([]byte, error)) ([]byte, error) {
	anyMsg, err := codectypes.NewAnyWithValue(msg)
	if err != nil {
		return nil, fmt.Errorf("encode message: %w", err)
	}
	anyKey, err := codectypes.NewAnyWithValue(b.public)
	if err != nil {
		return nil, fmt.Errorf("encode public key: %w", err)
	}
	var coins sdk.Coins
	if !b.fee.IsNil() && b.fee.IsPositive() {
		coins = sdk.Coins{b.fee}
	}
	body, err := proto.Marshal(&txtypes.TxBody{Messages: []*codectypes.Any{anyMsg}, TimeoutHeight: b.timeout})
	if err != nil {
		return nil, fmt.Errorf("encode transaction: %w", err)
	}
	auth, err := proto.Marshal(&txtypes.AuthInfo{
		SignerInfos: []*txtypes.SignerInfo{{
			PublicKey: anyKey,
			ModeInfo:  &txtypes.ModeInfo{Sum: &txtypes.ModeInfo_Single_{Single: &txtypes.ModeInfo_Single{Mode: signing.SignMode_SIGN_MODE_DIRECT}}},
			Sequence:  b.sequence,
		}},
		Fee: &txtypes.Fee{Amount: coins, GasLimit: b.gas, Granter: b.granter},
	})
	if err != nil {
		return nil, fmt.Errorf("encode transaction: %w", err)
	}
	signBytes, err := proto.Marshal(&txtypes.SignDoc{BodyBytes: body, AuthInfoBytes: auth, ChainId: b.chainID, AccountNumber: b.number})
	if err != nil {
		return nil, fmt.Errorf("encode transaction: %w", err)
	}
	sig, err := sign(signBytes)
	if err != nil {
		return nil, err
	}
	return proto.Marshal(&txtypes.TxRaw{BodyBytes: body, AuthInfoBytes: auth, Signatures: [][]byte{sig}})
}
