package price

import "math"

// random is a small generator of its own (splitmix64): the same seed gives the
// same numbers on every machine and in every version of Go.
type random struct{ state uint64 }

func (r *random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// float returns a number in (0, 1).
func (r *random) float() float64 { return (float64(r.next()>>11) + 0.5) / (1 << 53) }

func (r *random) normal() float64 {
	return math.Sqrt(-2*math.Log(r.float())) * math.Cos(2*math.Pi*r.float())
}

// gamma draws from the gamma distribution with the given shape (> 0) and scale 1.
func (r *random) gamma(shape float64) float64 {
	if shape < 1 {
		return r.gamma(shape+1) * math.Pow(r.float(), 1/shape)
	}
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.normal()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(r.float()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

// poissonExact is the mean up to which counts are drawn one by one; above it the normal approximation is close.
const poissonExact = 30

// poisson draws a count with the given mean (>= 0).
func (r *random) poisson(mean float64) float64 {
	if mean > poissonExact {
		return max(0, math.Round(mean+math.Sqrt(mean)*r.normal()))
	}
	limit, product, n := math.Exp(-mean), r.float(), 0.0
	for product > limit {
		product *= r.float()
		n++
	}
	return n
}
