;; Imports raw sockets, which no host of ours serves.
(component
  (import "wasi:sockets/tcp-create-socket@0.2.0" (instance))
  (core module $m (func (export "run")))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
