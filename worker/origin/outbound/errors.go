package outbound

import "errors"

var (
	// ErrURL reports an address that no request goes to: a scheme other than http and https, credentials, or a port other
	// than 80, 443 and that of a named host.
	ErrURL = errors.New("address is refused")
	// ErrAddress reports a host that is not at a public address.
	ErrAddress = errors.New("host is not at a public address")
	// ErrRedirect reports more redirects than are followed, or one from https to http.
	ErrRedirect = errors.New("redirect is refused")
	// ErrTimeout reports a host that took too long.
	ErrTimeout = errors.New("host is too slow")
	// ErrEncoding reports a compressed answer, which was not asked for. Its length after decompression has no bound.
	ErrEncoding = errors.New("answer is encoded")
)
