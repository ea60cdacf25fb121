//! The output of `bindgen!`, unnamed by anyone: `lib.rs` re-exports it by package.
//!
//! Every function may trap, because a cut (a limit met, a kill) ends the guest inside a host call. Functions that can wait
//! are async. Resource types are opaque here; the host keeps its own types in the resource table.
#![expect(missing_docs, reason = "generated from WIT, where the words are")]

wasmtime::component::bindgen!({
    path: [
        "deps/wasi-keyvalue@0.2.0-draft",
        "deps/wasi-config@0.2.0-rc.1",
        "deps/wasi-logging",
        "deps/wasi-logging@0.1.0-draft",
        "soma-secret@0.1.0",
        "soma-tool@0.1.0",
        "soma-emit@0.1.0",
        "soma-budget@0.1.0",
    ],
    inline: "
        package soma:host;

        world served {
            import wasi:keyvalue/store@0.2.0-draft;
            import wasi:keyvalue/atomics@0.2.0-draft;
            import wasi:keyvalue/batch@0.2.0-draft;
            import wasi:config/store@0.2.0-rc.1;
            import wasi:logging/logging;
            import wasi:logging/logging@0.1.0-draft;
            import soma:secret/secret@0.1.0;
            import soma:tool/tool@0.1.0;
            import soma:emit/emit@0.1.0;
            import soma:budget/budget@0.1.0;
        }
    ",
    imports: {
        "wasi:config/store": trappable,
        "wasi:logging/logging": trappable,
        "soma:secret/secret": trappable,
        "soma:budget/budget": trappable,
        default: async | trappable,
    },
    require_store_data_send: true,
});
