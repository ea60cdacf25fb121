;; Imports a known interface with a type of its own making.
(component
  (import "wasi:random/random@0.2.0" (instance $r (export "get-random-u64" (func (param "seed" u64) (result string)))))
  (core module $m (func (export "run")))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
