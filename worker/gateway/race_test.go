//go:build race

package gateway_test

// raceDetector says that the tests were built with -race.
const raceDetector = true
