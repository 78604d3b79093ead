package main

import "math/bits"

// Each power of two is cut into so many parts: a value is known to 1.6%.
const parts = 64

// histogram counts times in nanoseconds.
type histogram struct {
	counts [64 * parts]uint32
	count  int
}

func (h *histogram) add(value int64) {
	if value < 1 {
		value = 1
	}
	h.counts[bucket(uint64(value))]++
	h.count++
}

func (h *histogram) addAll(other *histogram) {
	for i, count := range other.counts {
		h.counts[i] += count
	}
	h.count += other.count
}

// quantile returns the value below which the fraction p of the values lies.
func (h *histogram) quantile(p float64) int64 {
	rest := int(p * float64(h.count))
	for i, count := range h.counts {
		rest -= int(count)
		if rest < 0 {
			return lowest(i)
		}
	}
	return 0
}

func bucket(value uint64) int {
	exponent := bits.Len64(value) - 1
	if exponent < 6 {
		return int(value)
	}
	return (exponent-5)*parts + int(value>>(exponent-6)) - parts
}

func lowest(bucket int) int64 {
	if bucket < 2*parts {
		return int64(bucket)
	}
	exponent := bucket/parts - 1
	return int64(bucket%parts+parts) << exponent
}
