package bench

import (
	"net/http"
	"strconv"
)

// Bare answers every request with the body, as the server under test writes its
// answers and with nothing else: the most that net/http does on this machine.
// It does not read the request's body; net/http discards it.
func Bare(body []byte) http.Handler {
	contentType, length := []string{"application/json"}, []string{strconv.Itoa(len(body))}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h["Content-Type"], h["Content-Length"] = contentType, length
		w.WriteHeader(http.StatusOK)
		w.Write(body)
	})
}
