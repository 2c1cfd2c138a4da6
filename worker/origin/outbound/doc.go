// Package outbound makes the requests of a worker to hosts that it does not trust. A request can go to public addresses
// only, whatever a name resolves to and wherever a redirect leads; hosts that the operator has named may also be in networks
// that he has named. What comes back is bounded in time: to the header, for each part of the body, and altogether. Nobody
// is told more than the request: no proxy of the environment, no cookies, no credentials, no referrer.
package outbound
