;; Bulk instructions back to back: no tick falls inside one, so the work hides between them.
(component
  (core module $m
    (memory 64)
    (func (export "run")
      (loop $l
        (memory.fill (i32.const 0) (i32.const 1) (i32.const 4194304))
        (br $l))))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
