// Package economics searches for ways to profit from the emission of x/rewards without serving anybody. It plays an operator who
// wears all hats against the real arithmetic of x/rewards/types, over many epochs and all parameters inside their bounds.
// docs/adr/013 has its report.
//
// # The operator
//
// Of five nodes three are his and two are honest. He has stake of his own in all five, other people's delegations and a
// commission in his own, up to four workers a node, two services, and any number of clients, which come down to purchases: who
// signs makes no difference to a payment. He buys from any worker for any service (the protocol's content service, his own two,
// an honest owner's), in any epochs, spread over workers or not, in time or by late acknowledgements; moves his free stake
// between nodes; locks stake; removes a service; and does so right after an opening, in the midst of the payouts of the epoch before,
// or at the end of an epoch. The search chooses nature and governance as well, as if they were on his side: shares and terms
// with a change on the way, supply, epoch duration, honest traffic, the path of the market, and with what lag, period and silence
// governance follows it. (Moves of stake are free and immediate here; x/staking is stricter.)
//
// # The assumption about the market
//
// Tokens of an epoch's payments are sold when they are paid, in the next epoch. The market price is then at most counted price /
// guard of the epoch in which the payment was debited, for every epoch with a counted price and a guard above zero. With the
// default guard of 1/2: governance may be late and wrong by up to a factor of two below the market. The counted price is the highest of
// 30 epochs, so a crash and its recovery keep the assumption while a price set at the bottom would break it; and a price expires
// after 14 epochs, so a governance that stops following the market stops the emission. The paths of the search are cut to exactly
// this bound, and are otherwise arbitrary. Prices and supply are nature's: minting does not move them. Fees of transactions are ignored, and so
// is the dilution of his own stake, both in his favour.
//
// # Profit
//
// Profit is the coins he got back, plus tokens at the market price, less the coins he paid, less what his twin has. The twin has
// the same nodes, services, honest customers and delegations and buys nothing. He is paid by the same rules, except that nothing
// is rounded against him and that his boosts are fair: an epoch's counts what was locked all through that epoch, at its length
// as of the opening. So a boost that is backed by no lock is profit, and the intended reward of a lock is not.
//
// Moving stake between nodes just before a payout takes rewards from other delegators; x/distribution shares what arrives among
// those who are there when it arrives. Nothing is minted for it. The twin moves his stake, too, so it is not part of the profit;
// the ADR says how much it can be.
//
// The search must find profit when a Hole is opened, which shows that it would find one in the rules.
package economics
