package job

import (
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/orderly-oms/orderly/internal/past"
	"github.com/orderly-oms/orderly/internal/reassess"
	"github.com/orderly-oms/orderly/internal/replay"
)

// Limits of a cache.
const (
	MaxCached = 64 // runs; the oldest go first
	cacheExt  = ".run"
)

// Cache returns a runner that keeps finished runs in a folder, and takes from there what was run before: so a
// reassessment that was interrupted goes on where it was. A run is the same when its
// history, scenario, options and the program are. Scenarios are run a few at a time, so that little is lost.
func Cache(dir, program string, run reassess.Runner) reassess.Runner {
	return func(ctx context.Context, open replay.Open, scenarios []replay.Scenario, o replay.Options) ([]*replay.Result, error) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		of, err := identify(open, program, o)
		if err != nil {
			return nil, err
		}
		out := make([]*replay.Result, len(scenarios))
		files := make([]string, len(scenarios))
		var missing []int
		for i := range scenarios {
			if files[i], err = of.file(dir, &scenarios[i]); err != nil {
				return nil, err
			}
			if out[i] = load(files[i]); out[i] == nil {
				missing = append(missing, i)
			} else if o.Progress != nil {
				o.Progress(scenarios[i].Name, out[i].Total.Orders, out[i].Total.Orders)
			}
		}
		atOnce := o.Parallel
		if atOnce <= 0 {
			atOnce = runtime.GOMAXPROCS(0)
		}
		for part := range slices.Chunk(missing, atOnce) {
			list := make([]replay.Scenario, len(part))
			for k, i := range part {
				list[k] = scenarios[i]
			}
			made, err := run(ctx, open, list, o)
			if err != nil {
				return nil, err
			}
			if len(made) != len(list) {
				return nil, errors.New("not every scenario has a result")
			}
			for k, i := range part {
				out[i] = made[k]
				if err := save(files[i], made[k]); err != nil {
					return nil, err
				}
			}
		}
		return out, prune(dir)
	}
}

// identity is all that runs of one history have in common.
type identity struct {
	Program string
	History past.Header
	Options replay.Options
}

func identify(open replay.Open, program string, o replay.Options) (*identity, error) {
	r, err := open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	id := &identity{Program: program, History: *r.Header(), Options: o}
	id.Options.Progress, id.Options.Parallel = nil, 0 // how, and not what
	return id, nil
}

func (id *identity) file(dir string, s *replay.Scenario) (string, error) {
	o := id.Options
	body, err := json.Marshal([]any{id.Program, id.History, o.From, o.Until, o.Seed, o.KeepOrders, o.Explain, s})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(body)
	return filepath.Join(dir, hex.EncodeToString(sum[:16])+cacheExt), nil
}

// load returns a run that was kept; nil when there is none, or one that cannot be read and is made again.
func load(file string) *replay.Result {
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	z := flate.NewReader(f)
	r := new(replay.Result)
	if gob.NewDecoder(z).Decode(r) != nil {
		return nil
	}
	if _, err := io.Copy(io.Discard, z); err != nil {
		return nil
	}
	return r
}

// save keeps a run; it is there whole or not at all.
func save(file string, r *replay.Result) (err error) {
	f, err := os.CreateTemp(filepath.Dir(file), "run-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	z, err := flate.NewWriter(f, flate.BestSpeed)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	err = errors.Join(gob.NewEncoder(z).Encode(r), z.Close(), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}

// prune removes the oldest runs beyond MaxCached.
func prune(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	type kept struct {
		name string
		at   int64
	}
	var all []kept
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasSuffix(e.Name(), cacheExt) {
			all = append(all, kept{e.Name(), info.ModTime().UnixNano()})
		}
	}
	if len(all) <= MaxCached {
		return nil
	}
	slices.SortFunc(all, func(a, b kept) int { return int(min(max(a.at-b.at, -1), 1)) })
	for _, k := range all[:len(all)-MaxCached] {
		if err := os.Remove(filepath.Join(dir, k.name)); err != nil {
			return err
		}
	}
	return nil
}
