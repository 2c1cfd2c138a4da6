// Package report shows once in each epoch that the node of this worker follows the chain, as a node must that takes part in
// the elections of committees. The report is signed by the worker's hot account and sent as an unordered transaction, so that
// it never stands in the way of a settlement, and only with fees that settlements do not need. Whoever else reports for the
// node, the operator or another worker, is as good: the chain says whether a report is due, and nothing is sent when none is.
package report
