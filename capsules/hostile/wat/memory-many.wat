;; Four memories of 6 MiB: each alone is within the limit of 16 MiB, together they are not.
(component
  (core module $m (memory 96))
  (core module $main (func (export "run")))
  (core instance (instantiate $m))
  (core instance (instantiate $m))
  (core instance (instantiate $m))
  (core instance (instantiate $m))
  (core instance $i (instantiate $main))
  (func (export "run") (canon lift (core func $i "run"))))
