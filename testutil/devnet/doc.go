// Package devnet runs a real local network in a folder: one validator or several, a worker registered with the first and a
// client with a prepaid account, each the program that an operator or a client would run, set up by the commands that they would
// type. The devnet program and the end-to-end tests stand on it.
//
// Nothing in it sleeps for a guessed time: it polls for what it waits for, with a deadline, and fails at once with the end
// of the log if the program that it waits for has died.
package devnet
