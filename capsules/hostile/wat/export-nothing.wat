;; Exports nothing that could be called.
(component
  (core module $m (func $spin (loop $l (br $l))) (start $spin))
  (core instance (instantiate $m)))
