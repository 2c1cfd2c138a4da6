package cli

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	coretypes "github.com/cometbft/cometbft/rpc/core/types"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/client/tx"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/authz"

	"github.com/edgechain/edge/x/node/types"
)

const (
	flagOperator   = "operator"
	flagEpoch      = "epoch"
	flagHeight     = "height"
	flagHeaderHash = "header-hash"
	flagIfDue      = "if-due"
	flagAuthz      = "authz"
)

// errNotDue says that there is nothing to send.
var errNotDue = errors.New("no report is due")

func reportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Show that your node follows the chain; one report is due in each epoch",
		Long: `report sends the report of a node for the open epoch. A node that has opted in and sends none in two epochs counts as opted out.
The epoch and the hash of a recent block are asked of the node behind --node, unless they are given.

It is signed by the operator, or by the account of an active worker with --operator. Any other key needs a grant of the operator
(edged tx authz grant GRANTEE generic --msg-type /edge.node.v1.MsgReport --from OPERATOR) and sends with --authz, or signs what
--generate-only prints for the operator with 'edged tx authz exec'.`,
		Example: `  edged tx node report --from operator
  edged tx node report --from settler --operator edgevaloper1...
  edged tx node report --from reporter --operator edgevaloper1... --authz --if-due --yes
  edged tx node report --from edge1OPERATOR... --generate-only | edged tx authz exec - --from reporter`,
		Args: cobra.NoArgs,
		RunE: runReport,
	}
	cmd.Flags().String(flagOperator, "", "operator address of the node (default: that of --from)")
	cmd.Flags().Uint64(flagEpoch, 0, "the open epoch (default: asked of the node)")
	cmd.Flags().Int64(flagHeight, 0, "height of a recent block of the epoch (default: the last but one)")
	cmd.Flags().BytesHex(flagHeaderHash, nil, "hash of the header of that block, in hex (default: asked of the node)")
	cmd.Flags().Bool(flagIfDue, false, "send nothing, and succeed, if no report is due, as when another key has reported already")
	cmd.Flags().Bool(flagAuthz, false, "send on behalf of the operator, by a grant to --from")
	flags.AddTxFlagsToCmd(cmd)
	return cmd
}

func runReport(cmd *cobra.Command, _ []string) error {
	clientCtx, err := client.GetClientTxContext(cmd)
	if err != nil {
		return err
	}
	d, err := newDraft(cmd.Flags(), clientCtx.GetFromAddress())
	if err != nil {
		return err
	}
	if d.queries() {
		if clientCtx.Offline {
			return fmt.Errorf("offline, so give --%s, --%s and --%s, and no --%s", flagEpoch, flagHeight, flagHeaderHash, flagIfDue)
		}
		rpc, err := clientCtx.GetNode()
		if err != nil {
			return err
		}
		err = d.fill(cmd.Context(), types.NewQueryClient(clientCtx), rpc)
		if errors.Is(err, errNotDue) {
			cmd.PrintErrln(err)
			return nil
		} else if err != nil {
			return err
		}
	}
	return tx.GenerateOrBroadcastTxCLI(clientCtx, cmd.Flags(), d.message())
}

// draft is a report that is being filled in.
type draft struct {
	from  sdk.AccAddress
	msg   types.MsgReport
	authz bool
	ifDue bool
}

// newDraft returns a draft with what the flags say.
func newDraft(fs *pflag.FlagSet, from sdk.AccAddress) (*draft, error) {
	d := &draft{from: from}
	var err, all error
	d.msg.Operator, err = fs.GetString(flagOperator)
	all = errors.Join(all, err)
	d.msg.Epoch, err = fs.GetUint64(flagEpoch)
	all = errors.Join(all, err)
	d.msg.Height, err = fs.GetInt64(flagHeight)
	all = errors.Join(all, err)
	d.msg.HeaderHash, err = fs.GetBytesHex(flagHeaderHash)
	all = errors.Join(all, err)
	d.authz, err = fs.GetBool(flagAuthz)
	all = errors.Join(all, err)
	d.ifDue, err = fs.GetBool(flagIfDue)
	if all = errors.Join(all, err); all != nil {
		return nil, all
	}
	operator := sdk.ValAddress(from)
	if d.msg.Operator != "" {
		if operator, err = sdk.ValAddressFromBech32(d.msg.Operator); err != nil {
			return nil, fmt.Errorf("--%s %q: %w", flagOperator, d.msg.Operator, err)
		}
	} else if d.authz {
		return nil, fmt.Errorf("--%s needs --%s: on whose behalf?", flagAuthz, flagOperator)
	}
	d.msg.Operator = operator.String()
	d.msg.Sender = from.String()
	if d.authz {
		d.msg.Sender = sdk.AccAddress(operator).String()
	}
	if n := len(d.msg.HeaderHash); n != 0 && n != types.HeaderHashSize {
		return nil, fmt.Errorf("--%s of %d bytes, want %d", flagHeaderHash, n, types.HeaderHashSize)
	}
	if len(d.msg.HeaderHash) != 0 && d.msg.Height == 0 {
		return nil, fmt.Errorf("--%s needs the --%s of its block", flagHeaderHash, flagHeight)
	}
	if d.msg.Height < 0 {
		return nil, fmt.Errorf("--%s %d, want above 0", flagHeight, d.msg.Height)
	}
	return d, nil
}

// queries reports whether the draft needs the node's answers.
func (d *draft) queries() bool {
	return d.ifDue || d.msg.Epoch == 0 || d.msg.Height == 0 || len(d.msg.HeaderHash) == 0
}

// nodeQuery is what a draft asks of x/node.
type nodeQuery interface {
	Node(ctx context.Context, in *types.QueryNodeRequest, opts ...grpc.CallOption) (*types.QueryNodeResponse, error)
}

// blocks is what a draft asks of CometBFT.
type blocks interface {
	Status(ctx context.Context) (*coretypes.ResultStatus, error)
	Commit(ctx context.Context, height *int64) (*coretypes.ResultCommit, error)
}

// fill asks for what the flags left open. It returns errNotDue if nothing should be sent, and an error if the chain would
// refuse the report as far as can be seen, so that it costs no fee.
func (d *draft) fill(ctx context.Context, q nodeQuery, rpc blocks) error {
	res, err := q.Node(ctx, &types.QueryNodeRequest{Operator: d.msg.Operator})
	switch {
	case status.Code(err) == codes.NotFound && d.ifDue:
		return fmt.Errorf("%w: %s never opted in", errNotDue, d.msg.Operator)
	case status.Code(err) == codes.NotFound:
		return fmt.Errorf("%s never opted in: edged tx node opt-in", d.msg.Operator)
	case err != nil:
		return err
	}
	if err := d.due(res); err != nil {
		return err
	}
	if d.msg.Epoch == 0 {
		d.msg.Epoch = res.Epoch
	}
	if d.msg.Height == 0 {
		st, err := rpc.Status(ctx)
		if err != nil {
			return err
		}
		if st.SyncInfo.CatchingUp {
			return fmt.Errorf("the node is at height %d and catching up", st.SyncInfo.LatestBlockHeight)
		}
		// The newest block may not be executed yet, and a simulation stands at the one that is.
		d.msg.Height = st.SyncInfo.LatestBlockHeight - 1
		if d.msg.Height < res.EpochHeight {
			return fmt.Errorf("epoch %d has opened with height %d and has no past block yet: try again", res.Epoch, res.EpochHeight)
		}
	}
	if len(d.msg.HeaderHash) == 0 {
		d.msg.HeaderHash, err = headerHash(ctx, rpc, d.msg.Height)
	}
	return err
}

// due returns errNotDue, or an error that says why a report would be refused.
func (d *draft) due(res *types.QueryNodeResponse) error {
	if d.ifDue {
		if !res.ReportDue {
			return fmt.Errorf("%w in epoch %d", errNotDue, res.Epoch)
		}
		return nil
	}
	switch {
	case res.Node.LastReportEpoch >= res.Epoch:
		return fmt.Errorf("%s has reported in epoch %d already", d.msg.Operator, res.Epoch)
	case !res.Node.MayReport(res.Epoch):
		return fmt.Errorf("%s does not take part (%s): edged tx node opt-in", d.msg.Operator, res.Standing)
	}
	return nil
}

// headerHash returns the hash of the header at a height.
func headerHash(ctx context.Context, rpc blocks, height int64) ([]byte, error) {
	res, err := rpc.Commit(ctx, &height)
	if err != nil {
		return nil, fmt.Errorf("header at height %d: %w", height, err)
	}
	if res.Header == nil || res.Commit == nil || res.Header.Height != height {
		return nil, fmt.Errorf("the node has no header at height %d", height)
	}
	hash := res.Header.Hash()
	if !bytes.Equal(hash, res.Commit.BlockID.Hash) {
		return nil, fmt.Errorf("header at height %d has hash %s, its commit is for %s", height, hex.EncodeToString(hash), res.Commit.BlockID.Hash)
	}
	return hash, nil
}

// message returns what is sent.
func (d *draft) message() sdk.Msg {
	if !d.authz {
		return &d.msg
	}
	exec := authz.NewMsgExec(d.from, []sdk.Msg{&d.msg})
	return &exec
}
