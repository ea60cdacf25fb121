;; Recursion without an end.
(component
  (core module $m
    (func $deep (param i64) (result i64)
      (i64.add (local.get 0) (call $deep (i64.add (local.get 0) (i64.const 1)))))
    (func (export "run") (drop (call $deep (i64.const 0)))))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
