// Package console is what an operator looks at: a page on the loopback listener, the status behind it, and a picture of the last
// hour, day and month.
//
// The page is plain HTML, CSS and JavaScript that the program carries. It loads nothing from elsewhere, works without a network, and
// a strict Content-Security-Policy keeps it so. All that it shows comes from two documents, which other programs may read as well:
//
//   - GET /v1/admin/status is the Status of now;
//   - GET /v1/admin/history?range=1h|24h|30d is a Picture.
//
// Both carry a schema number. Fields are added without a new number; one that changes its meaning or goes takes a new one.
//
// Nothing here changes anything, and nothing secret is in it: what needs the admin token is not the console's.
package console
