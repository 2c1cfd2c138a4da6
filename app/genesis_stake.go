package app

import (
	"fmt"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

// maxStake is how much of the staking coin there can be, in its smallest unit: 2^62, 4.6 * 10^18. x/staking holds the power of a
// validator in an int64, and with a power of one for each unit (see Configure) a validator with 2^63 of them would panic in
// EndBlock. A bound on all of it at the genesis is one on every validator. x/rewards mints later, at most `inflation` of the supply
// in an emission year: the factor of two to spare is seven years of the default inflation if the genesis has all that it may, and
// more than a hundred if it has a millionth of it, four million EDGE.
func maxStake() math.Int { return math.NewInt(1 << 62) }

// checkStake returns errGenesis if there is more of the staking coin than x/staking can count as power: in balances, in the supply
// if the document names it, or in the tokens of all validators.
func (m *moduleStates) checkStake() error {
	denom := m.staking.Params.BondDenom
	var balances, tokens []math.Int
	for _, b := range m.bank.Balances {
		balances = append(balances, amountsOf(b.Coins, denom)...)
	}
	for _, v := range m.staking.Validators {
		tokens = append(tokens, v.Tokens)
	}
	for _, part := range []struct {
		name    string
		amounts []math.Int
	}{
		{"balances", balances},
		{"supply", amountsOf(m.bank.Supply, denom)},
		{"tokens of validators", tokens},
	} {
		if err := checkSum(part.amounts, maxStake()); err != nil {
			return fmt.Errorf("%w: %s in %s: %w", errGenesis, part.name, denom, err)
		}
	}
	return nil
}

// amountsOf returns the amounts of a coin, which stands once in coins that are well formed: these were not checked yet.
func amountsOf(coins sdk.Coins, denom string) (amounts []math.Int) {
	for _, coin := range coins {
		if coin.Denom == denom {
			amounts = append(amounts, coin.Amount)
		}
	}
	return amounts
}

// checkSum returns an error if an amount is missing or negative, or if all of them are more than most.
func checkSum(amounts []math.Int, most math.Int) error {
	left := most
	for _, amount := range amounts {
		if amount.IsNil() || amount.IsNegative() {
			return fmt.Errorf("an amount of %s", amount)
		}
		// Compared before it is taken off: sums of any amounts could have too many bits.
		if amount.GT(left) {
			return fmt.Errorf("more than %s, which x/staking cannot count as power", most)
		}
		left = left.Sub(amount)
	}
	return nil
}
