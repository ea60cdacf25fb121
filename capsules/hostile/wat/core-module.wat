;; A core module, without the types of a component.
(module (func (export "run") (loop $l (br $l))))
