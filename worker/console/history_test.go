package console

import (
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func valueOf(v float64) (s Sample) {
	for i := range s {
		s[i] = v
	}
	return s
}

// Samples show in the finest range as they are, in the others as mean and highest of the step, and steps without one are gaps.
func TestHistoryDownsamples(t *testing.T) {
	h := NewHistory()
	for i := range 30 { // five minutes
		h.Add(noon.Add(time.Duration(i)*10*time.Second), valueOf(float64(i)))
	}
	h.Add(noon.Add(12*time.Minute), valueOf(100))
	now := noon.Add(12*time.Minute + 5*time.Second)

	hour, ok := h.Picture("1h", now)
	require.True(t, ok)
	line := hour.Series[atRequests]
	require.Len(t, line.Mean, 360)
	require.Nil(t, line.Max)
	require.Equal(t, noon.Add(12*time.Minute).Unix(), hour.Start+359*hour.Step)
	require.InDelta(t, 100, *line.Mean[359], 0)
	require.Nil(t, line.Mean[358], "a gap")
	require.InDelta(t, 29, *line.Mean[359-72+29], 0)

	day, ok := h.Picture("24h", now)
	require.True(t, ok)
	line = day.Series[atLag]
	require.Len(t, line.Mean, 288)
	require.InDelta(t, 14.5, *line.Mean[285], 1e-9)
	require.InDelta(t, 29, *line.Max[285], 0)
	require.Nil(t, line.Mean[286])
	require.InDelta(t, 100, *line.Mean[287], 0)

	_, ok = h.Picture("1y", now)
	require.False(t, ok)
}

// The history stays as big as it is allowed to, whatever the clock does.
func TestHistoryIsBounded(t *testing.T) {
	h := NewHistory()
	for i := range 2_000 {
		h.Add(noon.Add(time.Duration(i)*time.Hour), valueOf(1))
	}
	for i, s := range spans {
		require.Len(t, h.tiers[i].ring, s.points)
	}
	require.Less(t, len(h.Encode()), maxHistoryFile/2)
	points := h.tiers[2].ordered()
	for i := 1; i < len(points); i++ {
		require.Less(t, points[i-1].at, points[i].at)
	}
	// A clock that is set back by a second loses nothing; one that is set back by a year begins anew.
	last := noon.Add(1_999 * time.Hour)
	h.Add(last.Add(-time.Second), valueOf(2))
	require.Len(t, h.tiers[0].ring, 360)
	h.Add(last.AddDate(-1, 0, 0), valueOf(3))
	require.Len(t, h.tiers[0].ring, 1)
}

// Values that are missing or not finite are gaps of their series alone.
func TestHistoryMissingValues(t *testing.T) {
	h := NewHistory()
	s := valueOf(7)
	s[atLag], s[atStore] = math.NaN(), math.Inf(1)
	h.Add(noon, s)
	p, _ := h.Picture("1h", noon)
	require.Nil(t, p.Series[atLag].Mean[359])
	require.Nil(t, p.Series[atStore].Mean[359])
	require.InDelta(t, 7, *p.Series[atLanes].Mean[359], 0)
	require.InDelta(t, 7, h.Last(noon)[atLanes], 0)
	last := h.Last(noon.Add(2 * time.Minute))
	require.True(t, math.IsNaN(last[atLanes]), "an old sample is not now")
}

func filled() *History {
	h := NewHistory()
	for i := range 500 {
		h.Add(noon.Add(time.Duration(i)*10*time.Second), valueOf(float64(i)))
	}
	return h
}

// A restart keeps the history, and goes on in the step that it left.
func TestHistorySurvivesRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	h := filled()
	require.NoError(t, h.Save(path))
	require.NoError(t, h.Save(path), "again")
	back := NewHistory()
	require.NoError(t, back.Load(path))
	require.Equal(t, h.Encode(), back.Encode())
	for _, x := range []*History{h, back} {
		x.Add(noon.Add(5000*time.Second), valueOf(9))
	}
	require.Equal(t, h.Encode(), back.Encode())
	files, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, files, 1, "nothing is left aside")
	require.NoError(t, NewHistory().Load(filepath.Join(t.TempDir(), "none")))
}

// A damaged file is set aside, wherever it was cut or changed, and the history begins anew.
func TestHistoryDamaged(t *testing.T) {
	whole := filled().Encode()
	for _, n := range []int{0, 7, 8, 9, 60, 100, 5_000, len(whole) - 1} {
		h := NewHistory()
		require.ErrorIs(t, h.Decode(whole[:n]), errDamaged, "%d bytes", n)
		require.Equal(t, NewHistory().Encode(), h.Encode())
	}
	for i := 0; i < len(whole); i += 997 {
		bad := append([]byte(nil), whole...)
		bad[i] ^= 0x10
		require.ErrorIs(t, NewHistory().Decode(bad), errDamaged, "byte %d", i)
	}
	path := filepath.Join(t.TempDir(), "history")
	require.NoError(t, os.WriteFile(path, whole[:1_000], 0o600))
	h := NewHistory()
	require.ErrorIs(t, h.Load(path), errDamaged)
	require.NoFileExists(t, path)
	require.FileExists(t, path+".damaged")
	require.NoError(t, h.Save(path))
	// A file that is too big is not read to its end.
	require.NoError(t, os.WriteFile(path, make([]byte, maxHistoryFile+10), 0o600))
	require.ErrorIs(t, h.Load(path), errDamaged)
}

func FuzzDecodeHistory(f *testing.F) {
	f.Add(filled().Encode())
	f.Add(NewHistory().Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		h := NewHistory()
		if h.Decode(b) == nil {
			for i, s := range spans {
				require.LessOrEqual(t, len(h.tiers[i].ring), s.points)
			}
			require.NoError(t, NewHistory().Decode(h.Encode()))
		}
	})
}
