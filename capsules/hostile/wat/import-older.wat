;; Imports an older 0.2 release of a standard interface: served by the same functions.
(component
  (import "wasi:random/random@0.2.0" (instance $r (export "get-random-u64" (func (result u64)))))
  (core func $draw (canon lower (func $r "get-random-u64")))
  (core module $m
    (import "" "draw" (func $draw (result i64)))
    (func (export "run") (drop (call $draw))))
  (core instance $i (instantiate $m (with "" (instance (export "draw" (func $draw))))))
  (func (export "run") (canon lift (core func $i "run"))))
