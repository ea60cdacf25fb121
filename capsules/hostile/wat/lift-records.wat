;; Lift amplification: four million two-byte values, each of which costs the host far more.
(component
  (core module $m
    (memory (export "memory") 160)
    (func (export "run") (result i32)
      (i32.store (i32.const 0) (i32.const 16))
      (i32.store (i32.const 4) (i32.const 4000000))
      (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "run") (result (list (option bool)))
    (canon lift (core func $i "run") (memory (core memory $i "memory")))))
