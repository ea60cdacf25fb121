;; A shared memory and atomics: threads are off.
(component
  (core module $m
    (memory 1 1 shared)
    (func (export "run") (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
