;; Lift amplification: half a million results, all of them the same text of 4 MiB.
(component
  (core module $m
    (memory (export "memory") 160)
    (func (export "run") (result i32)
      (local $at i32)
      ;; text: 4 MiB at 4 MiB, entries of (pointer, length) from 16, the list itself at 0
      (memory.fill (i32.const 4194304) (i32.const 120) (i32.const 4194304))
      (local.set $at (i32.const 16))
      (loop $l
        (i32.store (local.get $at) (i32.const 4194304))
        (i32.store offset=4 (local.get $at) (i32.const 4194304))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br_if $l (i32.lt_u (local.get $at) (i32.const 4000016))))
      (i32.store (i32.const 0) (i32.const 16))
      (i32.store (i32.const 4) (i32.const 500000))
      (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "run") (result (list string)) (canon lift (core func $i "run") (memory (core memory $i "memory")))))
