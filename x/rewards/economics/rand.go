package economics

// source is SplitMix64. The package has a generator of its own so that a seed gives the same search everywhere and for ever.
type source struct{ state uint64 }

func (s *source) next() uint64 {
	s.state += 0x9e3779b97f4a7c15
	z := s.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// between returns a number from low to high, both included. The tiny bias of the remainder does not matter here.
func (s *source) between(low, high int64) int64 {
	return low + int64(s.next()%uint64(high-low+1))
}

// magnitude returns a number from low (at least 0) to high whose length in bits is uniform.
func (s *source) magnitude(low, high int64) int64 {
	top := high - low + 1
	bits := int64(0)
	for v := top; v > 0; v >>= 1 {
		bits++
	}
	return low + s.between(0, min(high-low, int64(1)<<s.between(0, bits-1)))
}
