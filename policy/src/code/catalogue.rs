//! The catalogue: one line per code, grouped by family. Append to your family; never renumber.
//!
//! M manifest, C component, V verification, D denial, L limit, K kill, J journal, I installation,
//! P policy, T token, H http edge and input, R runtime, G guest, U usage, B billing, S marketplace,
//! F finding of a review.

use super::CodeEntry;

macro_rules! catalogue {
    ($($name:ident $id:literal $exit:literal $http:literal $title:literal $explain:literal $remedy:literal;)*) => {
        /// A code of the catalogue.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $(#[doc = $title] $name,)* }

        impl Code {
            /// Every code, in the catalogue's order.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its line of the catalogue.
            #[must_use]
            pub const fn entry(self) -> &'static CodeEntry {
                match self { $(Self::$name => &CodeEntry {
                    id: concat!("SOMA-", $id), exit: $exit, http: $http, title: $title, explain: $explain, remedy: $remedy,
                },)* }
            }
        }
    };
}

catalogue! {
    // name, id, exit code, HTTP status, title, explanation, remedy
    ManifestSyntax "M001" 2 422 "the manifest is not TOML" "capsule.toml could not be read as TOML; the message names the line." "correct the line that the message names";
    ManifestMissingKey "M002" 2 422 "the manifest lacks a key" "A key that every capsule needs is missing from capsule.toml." "add the key that the message names; `soma capsule new` shows a complete file";
    ManifestBadValue "M003" 2 422 "a value in the manifest does not parse" "A key holds a value of another form than its rule allows." "write the value as the message shows";
    ManifestName "M004" 2 422 "the capsule's name is not publisher/name" "A capsule is named by its publisher and its own name, both of a-z, 0-9 and hyphens." "write name = \"publisher/name\"";
    ManifestVersion "M005" 2 422 "the version is not a semantic version" "Versions follow semver 2.0: three numbers, and perhaps a pre-release." "write version = \"1.2.3\"";
    ManifestSchema "M006" 2 422 "the manifest needs a newer soma" "The file says a `schema` that this version of soma does not know." "update soma, or write schema = 1";
    ManifestUnknownKey "M007" 2 422 "unknown key in the manifest" "Unknown keys are refused, because a mistyped right would otherwise be silently absent." "use the spelling that the message suggests, or remove the key";
    ManifestUnknownFunction "M008" 2 422 "a described function is not exported" "[functions.NAME] describes a function that the component does not export." "rename the table to an exported function; `soma capsule inspect --wit` lists them";
    ManifestSecretPlace "M009" 2 422 "a secret has no safe place" "A secret is placed into exactly one header, query or body field of one http entry with an exact https origin." "name an http entry whose origin is exact and https, and one of header, query or body";
    ManifestTooLarge "M010" 2 413 "the manifest is too large" "A manifest has at most 256 KiB and 64 named entries of each capability." "shorten it: fewer entries, shorter texts";
    ManifestDuplicate "M011" 2 422 "the manifest says something twice" "The same name, path or mount occurs twice." "remove one of the two";
    ManifestPattern "M012" 2 422 "a pattern in the manifest does not parse" "Patterns use whole segments: `*` is one segment, `**` is any depth." "write the pattern as the message shows";
    ManifestUnused "M013" 2 422 "a declared capability is never imported" "The component imports no interface that this capability would serve, so tenants would be asked for nothing." "remove the [capabilities] table, or use the capability";
    ManifestPrice "M014" 2 422 "the price is not exact" "A price is exact decimal text in whole micro-units with a currency, and not negative." "write per_call = \"0.0005 EUR\"";
    ManifestHealth "M015" 2 422 "the health check cannot be run" "[health] names a function that is not exported, or arguments that do not fit it." "name an exported function without side effects and arguments that fit";

    ComponentMalformed "C001" 4 422 "not a WebAssembly component" "The bytes do not validate as a component." "build for wasm32-wasip2, or wrap a core module with wasm-tools";
    ComponentIsModule "C002" 4 422 "a core module, not a component" "Only components carry the typed interface that soma checks." "build for wasm32-wasip2, or wrap it with `wasm-tools component new`";
    ComponentPrecompiled "C003" 4 422 "compiled code is refused" "The file is machine code made by a compiler. Each host compiles for itself; no compiled code is ever accepted." "submit the .wasm component, not a .cwasm file";
    ComponentTooLarge "C004" 4 413 "the component is too large" "Components have at most 32 MiB." "build with --release, strip debug information";
    ComponentUndeclared "C005" 4 422 "an import is not declared" "The component imports an interface whose capability capsule.toml does not declare." "add the [capabilities] table that the message names, or do not import it";
    ComponentUnknownImport "C006" 4 422 "an import is not known" "This host serves no such interface." "use one of the interfaces that docs/reference/capabilities.md lists";
    ComponentVersion03 "C007" 4 422 "an interface of WASI 0.3" "This host serves WASI 0.2. Interfaces at 0.3 are not served yet." "build with a toolchain that targets WASI 0.2";
    ManifestSectionMissing "C008" 4 422 "no manifest in the component" "A capsule holds its manifest as the custom section soma:manifest." "build it with `soma capsule build`, or wrap it with --component";
    ManifestSectionMisplaced "C009" 4 422 "the manifest section is not the last one, or not the only one" "Exactly one outermost section soma:manifest, the last of the component, is read; anything else could hide a second manifest." "build it again with `soma capsule build`";
    ComponentTooComplex "C010" 4 422 "the component is too complex" "It has more types, functions, instances or nesting than a host compiles safely." "split the component";
    CompileTimeout "C011" 4 422 "compiling took too long" "Compilation runs in a child process with a time limit, because a compiler cannot be interrupted safely." "make the functions smaller";
    CompileFailed "C012" 4 422 "the component could not be compiled" "The compiler refused the component; the message is the compiler's." "validate it with wasm-tools";
    CompileMemory "C013" 4 422 "compiling took too much memory" "Compilation runs in a child process with a memory limit." "make the functions smaller";
    ComponentNoExports "C014" 4 422 "the component exports nothing that can be called" "A capsule exports functions, or wasi:http/incoming-handler." "export a function in your WIT world";
    ComponentType "C015" 4 422 "a function uses a type that cannot be called from outside" "Resources, streams and futures have no form in JSON." "use records, variants, lists and primitives in exported functions";
    ComponentImportVersion "C016" 4 422 "an import has a version that is not served" "Released 0.2 versions match each other; pre-releases match exactly." "import the version that the message names";
    ComponentFeature "C017" 4 422 "the component uses a feature that is off" "Threads, and proposals that are not finished, are off in this engine." "build without that feature";
    ManifestSectionNotCanonical "C018" 4 422 "the manifest section is not canonical" "The embedded manifest is RFC 8785 JSON; any other bytes are refused, so that one meaning has one digest." "build it again with `soma capsule build`";
    ComponentImportType "C019" 4 422 "an import is not of the published type" "The component imports a known interface with functions or types that are not those of its WIT package." "build against the published WIT package";

    BundleMissing "V001" 4 422 "not signed" "There is no signature bundle beside the component." "sign it with `soma capsule sign FILE --key NAME`";
    BundleMalformed "V002" 4 422 "the signature bundle does not parse" "Only Sigstore bundles v0.3 with one message signature by a public key are read." "sign it again with `soma capsule sign`";
    DigestMismatch "V003" 4 422 "not the expected content" "The SHA-256 of the component is not the one that was signed or pinned." "fetch the right file, or install the new digest explicitly";
    SignatureInvalid "V004" 4 422 "the signature does not hold" "The signature was not made over these bytes by this key." "fetch the file again from its publisher";
    PublisherUnknown "V005" 4 422 "no key is trusted for this publisher" "A capsule is trusted only when a key is pinned for the publisher in its name." "`soma trust add PUBLISHER KEY.pub`, after checking the fingerprint with the publisher";
    KeyNotTrusted "V006" 4 422 "signed by a key that is not this publisher's" "The signature is by a key that is not pinned for the publisher in the capsule's name." "check the fingerprint with the publisher, then `soma trust add PUBLISHER KEY.pub`";
    DevKeyRefused "V007" 4 422 "signed with a development key" "`soma capsule run` signs with a key of this machine, which only `soma up --dev` accepts." "sign it with a publisher key, or start with `soma up --dev`";
    KeyFile "V008" 4 422 "the key file does not parse" "Private keys are cosign encrypted PEM, public keys are SPKI PEM, both ECDSA P-256." "make one with `soma key new NAME`";
    KeyPassphrase "V009" 4 422 "wrong passphrase" "The private key could not be decrypted." "set SOMA_KEY_PASSWORD or COSIGN_PASSWORD, or type it at the prompt";
    OciLayout "V010" 4 422 "the OCI layout is not valid" "The folder is no OCI image layout, or a blob is not what its descriptor says." "fetch or write the layout again";
    EnvelopeMalformed "V011" 4 422 "the signed document does not parse" "Signed documents are DSSE envelopes of application/vnd.soma.KIND.v1+json." "make the document again with soma";
    EnvelopeSignature "V012" 4 422 "no signature of the document holds" "None of the envelope's signatures was made by a key that is trusted for it." "have it signed by a trusted key";
    TrustStore "V013" 4 422 "the trust folder does not parse" "A file under trust/ is not a public key or not a table of operators." "correct the file that the message names";

    NotDeclared "D001" 3 403 "the manifest does not declare it" "What a capsule may ask for is what its author declared; this was not." "ask the author to declare it in capsule.toml and to publish a new version";
    NotGranted "D002" 3 403 "the installation does not grant it" "The author declared it, the tenant left it out of the grants." "add it to the grants of the installation";
    PolicyForbids "D003" 3 403 "the operator's policy forbids it" "A forbid policy of the host's bundle applies; forbid always wins." "ask the operator to change the policy that the reason names";
    PolicyNoPermit "D004" 3 403 "no policy of the operator permits it" "The host's bundle denies by default, and no permit applies." "ask the operator to add a permit under policy/";
    PolicyErrored "D005" 3 403 "a policy could not be evaluated" "A policy that errors denies, because a skipped forbid would allow." "ask the operator to correct the policy that the reason names";
    CallDenied "D006" 3 403 "the call was denied" "The call ended because of a denial; `denials` says which." "follow the remedy of the denial";
    TokenScope "D007" 3 403 "the token does not allow this call" "A token holds the installations that its bearer may call." "mint one with `soma token new --can call:ID`";
    OtherTenant "D008" 3 403 "another tenant's installation" "A token names one organisation and one environment, and nothing of another's is reachable." "use a token of the right tenant";
    NotServed "D009" 3 403 "anonymous access is not granted" "A capsule that serves HTTP answers strangers only under grants.serve.anonymous." "send a token, or set grants.serve.anonymous = true";
    HttpOrigin "D010" 3 403 "the origin is not allowed" "No http entry allows this scheme, host and port." "add an http entry for this origin";
    HttpPath "D011" 3 403 "the path is not allowed" "An http entry allows the origin, none of its paths matches." "add the path to `paths` of that entry";
    HttpMethod "D012" 3 403 "the method is not allowed" "An http entry allows origin and path, but not the method." "add the method to `methods` of that entry";
    HttpPerCall "D013" 3 403 "more bytes than one call may move" "per_call of the http entry is used up." "raise per_call of that entry";
    HttpPerDay "D014" 3 403 "more bytes than one day may move" "per_day of the http entry is used up until the UTC day ends." "raise per_day of that entry, or wait for the next UTC day";
    HttpPeer "D015" 3 403 "the address is not a public one" "The name resolves to a private, local, metadata or otherwise special address." "an operator may map the origin in policy/peers.toml";
    HttpAmbiguous "D016" 3 403 "the request has no single meaning" "Encoded dots, slashes and backslashes, dot segments, user names, zone ids and empty segments mean different things to different servers." "send the plain canonical form";
    HttpForbidden "D017" 3 403 "this kind of request is never made" "CONNECT, TRACE, upgrades and hop-by-hop headers are not sent for guests." "use an ordinary request";
    HttpRedirect "D018" 3 403 "the redirect is not allowed" "Every redirect is a new decision, and this one was refused." "add an http entry for the target, or do not follow";
    HttpScheme "D019" 3 403 "the scheme is not allowed" "Requests are http or https, as the entry says." "use the scheme of the http entry";
    KvKey "D020" 3 403 "the key is outside the prefix" "No kv entry allows this key." "use the declared prefix, or widen it";
    KvAccess "D021" 3 403 "the store may not be used so" "The kv entry allows reading or writing, not this." "set access of that entry";
    KvQuota "D022" 3 403 "the store is full" "The kv entry's quota is used up." "delete keys, or raise quota of that entry";
    FilesPath "D023" 3 403 "the path is outside the mount" "Paths stay inside their mount: no absolute path, no `..`, no link out." "use a path inside a granted mount";
    FilesAccess "D024" 3 403 "the files may not be used so" "The files entry allows reading or writing, not this." "set access of that entry";
    FilesQuota "D025" 3 403 "the mount is full" "Bytes or inodes of the files entry are used up." "delete files, or raise quota or inodes of that entry";
    FilesKind "D026" 3 403 "only regular files and directories" "Links, pipes, sockets and devices are neither made nor opened." "use regular files and directories";
    SecretName "D027" 3 403 "the secret is not known" "The capsule names a secret that it does not declare." "declare it under [capabilities.secret]";
    SecretPlace "D028" 3 403 "the secret may not go there" "A secret is placed only into requests of the http entry that it names." "send the request through that http entry";
    SecretMissing "D029" 3 403 "the secret has no value" "The grant names a secret that the tenant has not stored." "`soma secret set NAME`";
    ToolNotAllowed "D030" 3 403 "the tool is not allowed" "No tool entry names this capsule." "add a tool entry for it";
    ToolFunction "D031" 3 403 "the tool's function is not allowed" "The tool entry does not list this function." "add it to `functions` of that entry";
    ToolVersion "D032" 3 403 "the tool's version is not allowed" "The installed version is outside the tool entry's range." "widen `version` of that entry, or install a matching version";
    ToolDepth "D033" 3 403 "tools call tools too deeply" "A chain of tool calls has at most four links, which also ends recursion." "call fewer tools in a row";
    ToolTenant "D034" 3 403 "the tool belongs to another tenant" "A tool is resolved within the caller's own organisation and environment." "install the tool in the same tenant and environment";
    ToolNotInstalled "D035" 3 403 "the tool is not installed" "No installation of this tenant and environment holds that capsule." "`soma install` the tool";
    ToolReservation "D036" 3 402 "the caller's reservation is too small" "A child's money, time and slots come out of its parent's reservation, and fail fast." "raise the parent's limits or budget";
    LabelNotCleared "D037" 3 403 "labelled data may not go there" "Data that carries a label left for a sink that is not cleared for it." "add the label to `clears` of that entry, if the tenant wants the data to go there";
    EmitSize "D038" 3 403 "more emitted bytes than granted" "per_call of the emit entry is used up." "raise per_call of that entry";
    EmitEvents "D039" 3 403 "more events than granted" "events of the emit entry is used up." "raise events of that entry";
    EmitName "D040" 3 403 "the event stream is not known" "No emit entry has this name." "add an emit entry";
    ConfigKey "D041" 3 403 "the configuration key is not allowed" "The config entry does not list this key." "add it to `keys`";
    ClocksPrecise "D042" 3 403 "precise clocks are not granted" "Without grants.clocks.precise, clocks are coarse." "set grants.clocks.precise = true";
    RandomPerCall "D043" 3 403 "more random bytes than granted" "per_call of the random entry is used up." "raise per_call of grants.random";
    LoggingPerCall "D044" 3 403 "more log bytes than granted" "per_call of the logging entry is used up." "raise per_call of grants.logging";
    ResidencyRegion "D045" 3 403 "not in this region" "The tenant's region binds where its capsules run." "call a host of the tenant's region";
    BudgetExhausted "D046" 3 402 "the budget is used up" "What is spent and what running calls have reserved leave too little for another call." "retry when running calls have ended, or raise budget.limit";
    BudgetConcurrency "D047" 9 429 "too many calls at one time" "budget.concurrent_calls of the installation are running." "retry, or raise budget.concurrent_calls";
    BudgetCurrency "D048" 3 402 "budget and price have different currencies" "Amounts of different currencies are never compared." "write the budget in the currency of the price";
    LeaseEnded "D049" 3 402 "no lease covers this call" "No call starts after its lease's last moment, or on an older boot." "wait for a new lease";
    HttpHeader "D050" 3 403 "the header is not the guest's to set" "Host, framing, hop-by-hop and credential headers that the host places are refused from guests." "leave the header out";
    Withdrawn "D051" 3 403 "the right was withdrawn" "The installation, its grants or the policy changed while the call ran, and it may no longer do this." "call again under the new revision";

    LimitCpu "L001" 7 422 "CPU time used up" "The call used all of limits.cpu." "make it faster, or raise limits.cpu";
    LimitWall "L002" 7 422 "time used up" "The call used all of limits.wall, waiting included." "make it faster, or raise limits.wall";
    LimitMemory "L003" 7 422 "memory used up" "Memories, tables and buffers of the call reached limits.memory." "use less, or raise limits.memory";
    LimitHostcall "L004" 7 422 "host-call bytes used up" "What went through host calls reached limits.hostcall." "move less, or raise limits.hostcall";
    LimitInput "L005" 7 422 "input too large" "The input is larger than limits.input." "send less, or raise limits.input";
    LimitOutput "L006" 7 422 "output too large" "The output reached limits.output." "return less, or raise limits.output";
    LimitLog "L007" 7 422 "log too large" "Log and standard output reached limits.log." "log less, or raise limits.log";
    LimitHandles "L008" 7 422 "too many handles" "The call holds limits.handles open handles." "drop handles earlier, or raise limits.handles";
    LimitRequests "L009" 7 422 "too many requests at one time" "The call has limits.requests outbound requests open." "wait for some first, or raise limits.requests";
    LimitStack "L010" 7 422 "stack used up" "The guest recursed deeper than its stack." "recurse less";
    LimitRandom "L012" 7 422 "too many random bytes" "The call drew all that the random grant allows." "draw less, or raise grants.random.per_call";
    LimitAboveCeiling "L013" 3 422 "a limit is above the operator's ceiling" "The manifest or the installation asks for more than policy/limits.toml allows." "lower the limit, or have the operator raise the ceiling";

    Killed "K001" 6 403 "killed by an order" "A kill order applies to the capsule, its publisher, the tenant or one of its capabilities." "`soma show` names the order; only a signed lift ends it";
    Suspended "K002" 6 403 "suspended by an order that is not complete" "A wide order works at once and lapses after one hour of uptime unless more operators sign." "wait, or ask an operator to lift it";
    KillMalformed "K003" 2 422 "the order does not parse" "An order or lift is a signed document with a scope, a reason and a version." "write it with `soma kill`";
    KillSigner "K004" 4 403 "not signed by an operator" "No signature is by a key that trust/operators.toml lists." "sign it with an operator's key";
    KillQuorum "K005" 8 409 "more operators must sign" "Lifting needs as many distinct persons as the order did." "have another operator sign: `soma kill sign ORDER --key NAME`";
    KillLiftHash "K006" 8 409 "the lift names another order" "A lift names the hash of the order that it lifts, and this is not it." "make the lift again with `soma unkill ORDER`";
    KillScope "K007" 2 422 "the scope does not parse" "A scope is digest: capsule:NAME[@RANGE] publisher: signer: capability: tool: tenant: installation: region: or everything." "write the scope as the message shows";
    KillUnknown "K008" 5 404 "no such order" "This host knows no order with that id." "`soma audit tail --kind kill` lists orders";
    KillFull "K009" 9 503 "too many orders" "The kill set holds as many orders as its bound allows." "lift or merge orders; use a wider scope";
    OperatorsFile "K010" 2 422 "the operators file does not parse" "trust/operators.toml lists a quorum and operators by name, person and key, signed by the root key." "correct the file and sign it again";

    JournalTorn "J001" 8 409 "the journal's tail was torn" "The last frames were not whole, as after a loss of power; they were removed down to the last durable head." "nothing, if it was repaired; otherwise restore the journal folder";
    JournalHash "J002" 4 409 "a journal entry was changed" "An entry's checksum or the hash in the next entry does not match." "keep the files as evidence and restore from a copy";
    JournalGap "J003" 4 409 "journal entries are missing" "Sequence numbers are not contiguous." "keep the files as evidence and restore from a copy";
    JournalCut "J004" 4 409 "the journal ends before its known head" "A head was recorded elsewhere for a later entry than the journal holds." "keep the files as evidence and restore from a copy";
    JournalSignature "J005" 4 409 "a journal head is not signed by the host" "Each group of entries ends in a head that the host key signs." "keep the files as evidence; check keys/host";
    JournalFrame "J006" 9 500 "an entry is too large for the journal" "Entries have at most 1 MiB." "report it: entries are bounded where they are made";
    JournalWrite "J007" 9 503 "the journal cannot be written" "Without a durable record nothing runs." "free disk space and check the permissions of state/";
    JournalCursor "J008" 2 400 "the cursor does not parse" "A cursor is what an earlier page returned." "start without a cursor";
    JournalForeign "J009" 4 409 "the journal is another host's" "Host or journal id differ from the head file." "use the folder of this host";

    InstallationSyntax "I001" 2 422 "the installation file is not TOML" "The file could not be read as TOML; the message names the line." "correct the line that the message names";
    InstallationUnknownKey "I002" 2 422 "unknown key in the installation file" "Unknown keys are refused, because a mistyped grant would otherwise be silently absent." "use the spelling that the message suggests, or remove the key";
    InstallationBadValue "I003" 2 422 "a value in the installation file does not parse" "A key holds a value of another form than its rule allows." "write the value as the message shows";
    InstallationCapsule "I004" 4 422 "not the capsule that the file names" "The digest belongs to a capsule of another name." "correct `capsule` or `digest`";
    InstallationDigest "I005" 4 422 "not the digest that the file pins" "What runs is what is pinned; this content has another digest." "`soma install` the new version explicitly";
    InstallationVersion "I006" 2 422 "the version is outside the range" "`version` does not match the capsule that `digest` pins." "widen `version`, or pin another digest";
    GrantUnknown "I007" 2 422 "a grant for what is not declared" "The grants name a capability that the capsule does not declare." "remove the table, or use the declared name that the message suggests";
    GrantTooWide "I008" 3 422 "a grant is wider than declared" "Grants are at most what the author declared." "narrow the grant to what capsule.toml declares";
    GrantMissing "I009" 3 422 "a required capability is left out" "The author says that the capsule does not work without it." "add the grant, or ask the author to mark it optional";
    ConfigUnknown "I010" 2 422 "a configuration value without a grant" "[config] holds a key that grants.config.keys does not list." "add the key to grants.config.keys, or remove the value";
    BudgetBad "I011" 2 422 "the budget is not valid" "A budget has a positive limit in the price's currency and at least one concurrent call." "write limit = \"5.00 EUR\", per = \"day\", concurrent_calls = 16";
    OfferChanged "I012" 3 409 "the price is not the accepted one" "[offer] holds the digest of the price that the tenant accepted, and the capsule now has another." "accept it with `soma install`, which writes the new offer";
    InstallationPlace "I013" 2 422 "tenant or environment differ from the file's place" "The file lies under installations/TENANT/ENV, and says another tenant or environment." "move the file, or correct `tenant` and `environment`";
    InstallationExists "I014" 8 409 "the installation exists already" "Ids are unique per tenant and environment." "choose another id with --as";
    InstallationUnknown "I015" 5 404 "no such installation" "This tenant and environment hold no installation of that id." "`soma list` shows them";
    InstallationCount "I016" 8 409 "too many installations" "The host holds as many installations as its bound allows." "remove some";
    SecretHttpMissing "I017" 2 422 "a secret without its http entry" "A secret is placed into requests of an http entry, and that one is not granted." "grant the http entry too, or leave the secret out";
    CapsuleMissing "I018" 5 404 "the capsule is not in the store" "The file pins a digest that the home does not hold." "`soma install` the capsule again";
    InstallationSchema "I019" 2 422 "the installation file needs a newer soma" "The file says a `schema` that this version of soma does not know." "update soma, or write schema = 1";
    InstallationRemoved "I020" 5 404 "the installation was removed" "Its file is gone; calls that ran were ended." "install it again";

    PolicySyntax "P001" 2 422 "a policy does not parse" "A file under policy/ is not valid Cedar." "correct the line that the message names";
    PolicyNoId "P002" 2 422 "a policy without @id" "Every policy has an @id, which denials and the audit name." "add @id(\"a-short-name\") before the policy";
    PolicyNoReason "P003" 2 422 "a policy without @reason" "Every policy has a @reason, which people who are denied will read." "add @reason(\"why\") before the policy";
    PolicyDuplicate "P004" 2 422 "two policies with one @id" "Ids are unique over the whole bundle." "rename one of the two";
    PolicyInvalid "P005" 2 422 "a policy does not fit the schema" "Policies are checked against the schema before they take effect; warnings count." "correct what the message names; docs/reference/policy.md lists the vocabulary";
    PolicyTemplate "P006" 2 422 "templates are not used" "A policy with slots would apply to nothing." "write it as an ordinary policy";
    PolicyTooLarge "P007" 2 413 "the policy bundle is too large" "A bundle has at most 1 MiB and 1,000 policies." "merge or remove policies";
    PolicyLimits "P008" 2 422 "policy/limits.toml does not parse" "The file holds the ceiling of each limit." "write the key and value as the message shows";
    PolicyPeers "P009" 2 422 "policy/peers.toml does not parse" "Each entry maps one exact origin to an ip:port and a trust anchor." "write the entry as the message shows";
    PolicyEmpty "P010" 2 422 "no policy permits anything" "A bundle without a permit denies every call; an empty one is taken for a mistake." "start from the starter policy that `soma up` writes";
    ConstitutionMalformed "P011" 2 422 "not a constitution" "A constitution is a signed document of kind `constitution` with principles, Cedar policies and limits." "make it with `soma constitution propose`";
    ConstitutionSigners "P012" 3 403 "not signed by enough operators" "A constitution holds only with the signatures of as many operators, as persons, as the quorum says." "have another operator sign it: `soma constitution sign`";
    ConstitutionStale "P013" 8 409 "not the next version" "A constitution follows the one that holds now, by number and digest, and never goes back; an older text is published again under a new number." "propose it again on top of the one that holds: `soma constitution propose`";
    ConstitutionUnknown "P014" 5 404 "no such constitution" "This server knows no version, or no proposal, of this name." "`soma constitution history` and `soma constitution proposals` list them";
    ConstitutionForeign "P015" 4 422 "the constitution of another deployment" "A constitution names the deployment that it is for, so that a signature given for one never counts for another." "propose it to this deployment: `soma constitution propose`";

    TokenMissing "T001" 3 401 "no token" "The request carries no bearer token." "set SOMA_TOKEN, or mint one with `soma token new`";
    TokenMalformed "T002" 3 401 "the token does not parse" "Tokens are ES256 JWTs of at most 8 KiB." "mint a new one with `soma token new`";
    TokenSignature "T003" 3 401 "the token's signature does not hold" "No key of trust/issuers.jwks made this signature." "mint a new one, or add the issuer's key";
    TokenExpired "T004" 3 401 "the token has expired" "Tokens live for at most an hour." "mint a new one with `soma token new`";
    TokenAudience "T005" 3 401 "the token is for another host" "The audience of the token is not this host." "mint one for this host";
    TokenIssuer "T006" 3 401 "the issuer is not trusted" "The token's issuer is not the one that its key belongs to." "mint one with this host's issuer";
    TokenLifetime "T007" 3 401 "the token lives too long" "A token's expiry is more than an hour after its issue." "mint one with --ttl 1h or less";
    TokenRevoked "T008" 3 401 "the token was revoked" "Its id, user, tenant or key was revoked." "mint a new one";
    TokenRight "T009" 3 403 "the token does not hold this right" "The route needs a right that the token does not carry." "mint one with the right that the message names";
    StepUp "T010" 3 401 "a stronger or fresher login is needed" "The action asks for two factors that were proven within the last minutes." "prove the second factor again with `soma login --step-up`, and repeat the request";
    LoginFailed "T011" 3 401 "login or password is wrong" "No active account has this login and password; which of the two was wrong is not told." "check both, or ask an operator whether the account is locked";
    SecondFactor "T012" 3 401 "the second factor is missing or wrong" "The account has a second factor. Each code is good once and for about a minute; each recovery code is good once." "send `totp`, or one of the recovery codes";
    RefreshBad "T013" 3 401 "the session cannot be refreshed" "The refresh code is unknown, spent or too old. A spent one ends the session, because somebody else may hold it." "log in again";
    ApiKeyBad "T014" 3 401 "the API key does not count" "The key is unknown, revoked or too old, or its service account is disabled." "make a new key";
    BootstrapBad "T015" 3 403 "this does not make the first operator" "The code is not the one that the server showed at its start, or the first operator has come." "start the server and use the code that it shows, once";
    HostProofBad "T016" 3 401 "the host's proof does not hold" "Every request of a host is signed by its key, over method, path and body, and names this server." "check the host's clock, and that it is enrolled here: `soma host list`";
    HostProofReplayed "T017" 3 401 "the host's proof was used before" "A proof is taken once, so that nobody can send a host's request again." "send the request with a new proof";
    EnrolBad "T018" 3 403 "the enrolment token does not count" "An enrolment token is made by an operator, is used once and lives for an hour." "make another: `soma host enrol`";
    HostRetired "T019" 3 403 "the host was retired" "An operator took this host out of the fleet; it gets nothing more." "enrol it again under a new name";

    InputSyntax "H001" 2 400 "the body is not JSON" "The request body could not be read as JSON; the message names the place." "send one JSON object";
    InputType "H002" 2 422 "an argument does not fit the function" "The arguments do not match the function's types; the message names the path." "`soma capsule inspect --schema` shows the types";
    BodyTooLarge "H003" 2 413 "the body is too large" "Bodies are bounded by the route and by limits.input." "send less";
    FunctionUnknown "H004" 5 404 "no such function" "The capsule exports no function of that name." "`soma capsule inspect --wit` lists them";
    RouteUnknown "H005" 5 404 "no such route" "This host has no route of that path." "see /openapi.json";
    MethodNotAllowed "H006" 2 405 "the route has no such method" "The path exists, the method does not." "see /openapi.json";
    MediaType "H007" 2 415 "the content type is not accepted" "Calls take application/json." "send Content-Type: application/json";
    NotAcceptable "H008" 2 406 "no such form of answer" "Answers are application/json or text/event-stream." "send Accept: application/json or text/event-stream";
    KeyReused "H009" 8 422 "the idempotency key was used with another body" "A key stands for one request." "use a new key";
    KeyInFlight "H010" 8 409 "a call with this key is running" "A key is at most one call." "follow Location, or use a new key";
    CallUnknown "H011" 5 404 "no such call" "This host knows no call of that id that the token may see." "`soma ps` lists running calls, `soma audit tail` past ones";
    HeadersTooLarge "H012" 2 431 "the headers are too large" "Header names, values and their number are bounded." "send fewer and shorter headers";
    RequestTimeout "H013" 9 408 "the request came too slowly" "Heads and bodies have to arrive within their time." "send it faster";
    RateLimited "H014" 9 429 "too many requests" "The rate for this tenant and route is used up." "wait for Retry-After";
    CursorBad "H015" 2 400 "the cursor does not parse" "A cursor is what an earlier page returned." "start without a cursor";
    FieldBad "H016" 2 422 "a field does not parse" "A field of the body breaks its rule; the message names both." "write the field as the message shows";
    TenantMismatch "H017" 2 422 "the body names another tenant" "Tenant and environment come from the token alone." "leave them out, or use a token of that tenant";
    HostUnknown "H018" 5 404 "no app at this host name" "Apps are served at ID--ENV--ORG under the apps domain." "`soma list` shows the addresses";
    InputTooComplex "H019" 2 422 "the JSON is too deep or has too many parts" "Depth, size and number of nodes are bounded." "send a flatter document";
    PreconditionFailed "H020" 8 412 "it changed in the meantime" "If-Match names another version than the current one." "read it again and repeat the change";
    PreconditionMissing "H021" 2 428 "the change names no version" "Updates carry If-Match with the ETag that was read, so that nobody overwrites what somebody else has changed." "read it, and send its ETag as If-Match";
    UriTooLong "H022" 2 414 "the address is too long" "Path and query together have at most 8 KiB." "send less in the query";
    AnswerNotKept "H023" 8 409 "it was done before, and its answer was not kept" "The answer to this idempotency key held a secret, which is shown once and never stored." "follow Location; if the secret is lost, make a new one";

    Busy "R001" 9 429 "no slot is free" "The host admits a bounded number of calls, fairly per tenant, and never queues without bound." "retry after a moment";
    Interrupted "R002" 9 503 "the host stopped under the call" "The host ended or died while the call ran; its usage is settled at the last durable mark." "retry, if the function may run twice";
    HostFailure "R003" 9 503 "the host failed" "Something in the host went wrong; the guest may be innocent." "retry; if it repeats, report it with the call id";
    InDoubt "R004" 8 409 "nobody knows whether it ran" "A call with the same key started and its end is unknown. It is never run a second time." "look at the effects, then use a new key";
    Cancelled "R005" 130 499 "the caller went away" "The caller closed the connection before the end." "call again";
    CacheTampered "R006" 4 500 "a cache entry does not verify" "The compiled code's MAC does not match; the entry was removed and is compiled again." "check who can write state/cache";
    Stopping "R007" 9 503 "the host is stopping" "No new call starts while the host drains." "retry at another host, or later";
    HomeUnsafe "R008" 2 500 "the home is open to others" "Keys and state are readable or writable by other users." "chmod 700 the home, 600 the files under keys/";
    HomeIo "R009" 9 500 "the home cannot be read or written" "A file operation under the home failed; the message names it." "check disk and permissions";
    AddressInUse "R010" 9 503 "the address is in use" "Another process listens there." "stop it, or choose another --listen";
    HostUnreachable "R011" 9 503 "the host does not answer" "No connection to the host could be made." "start it with `soma up`, or correct --host";
    NotReady "R012" 9 503 "the host is not ready" "It is starting, or one of its parts is down; /ready says which." "wait for /ready";
    HomeLocked "R013" 9 503 "another host uses this home" "A home belongs to one running host." "stop the other one, or use another --home";
    EngineFailure "R014" 9 500 "the engine could not be set up" "The WebAssembly engine refused its configuration on this machine." "report it with `soma doctor`";
    UpstreamFailed "R015" 9 503 "the remote server failed" "Name lookup, connection, TLS or the transfer itself failed." "check the remote server";
    StoreDown "R016" 9 503 "the database does not answer" "The server could not reach its database, or it took too long. Nothing was changed." "retry; /ready says what is down";
    FeedStale "R017" 9 503 "the host has not heard from its server" "The server's heartbeat is older than this capsule's risk class allows, so nothing of it starts." "see why the server is not reached: `soma doctor`; calls go on by themselves once it is";
    FeedForked "R018" 4 503 "the feed contradicts itself" "The server's changes do not follow what this host applied: a restored server, a fork, or somebody in between." "if the server was restored, raise its epoch with the root key; else find out who answers in its place";
    BackupBad "R019" 4 422 "the backup cannot be used" "It is incomplete, was changed, or is of another version." "choose another backup; `soma backup verify FILE` names what is wrong";
    DatabaseNotEmpty "R020" 8 409 "the database is not empty" "Data is moved into a new database only, so that nothing is mixed or lost." "name an empty database";
    ReviewHostMissing "R021" 9 503 "no review host is there" "Behaviour is observed on a host of the role `review`, and none is alive." "start one: `soma serve --role review`";

    GuestError "G001" 1 422 "the function returned its error" "The function's own typed error is in `guest_error`." "see the capsule's documentation";
    GuestTrapped "G002" 1 422 "the guest trapped" "The code reached a state that it cannot continue from; the backtrace is in `soma show`." "report it to the author with the call id";
    GuestExit "G003" 1 422 "the guest exited" "The guest called exit instead of returning. Whatever its status, there is no result." "see the call's log";
    GuestNoResponse "G004" 1 422 "the guest sent no response" "The handler ended without setting a response." "report it to the author";
    GuestBadResponse "G005" 1 422 "the guest's response is not valid HTTP" "Status, headers or body length break the rules of HTTP." "report it to the author";

    Usage "U001" 2 400 "the command is not used so" "An argument is missing, unknown or does not parse." "see --help";
    FileNotFound "U002" 5 404 "no such file" "The file does not exist or cannot be read." "check the path";
    NotFound "U003" 5 404 "no such thing" "Nothing of that name is known here." "list what there is with the matching list command";
    Exists "U004" 8 409 "it exists already" "Nothing is overwritten without being asked." "choose another name, or remove it first";
    NotConfirmed "U005" 2 400 "not confirmed" "The command asks before it destroys something, and nobody said yes." "answer yes, or pass --yes";
    NoToken "U006" 3 401 "no token and no home" "SOMA_TOKEN is not set and the home cannot be read, so no token could be made." "set SOMA_TOKEN, or run as the user who owns the home";
    BuildFailed "U007" 1 422 "the build command failed" "build.command of capsule.toml ended with an error." "read its output above";
    TestsFailed "U008" 1 422 "tests failed" "At least one test did not meet what it expects." "read the lines marked failed";
    ToolMissing "U009" 2 422 "a program is missing" "A program that this command runs is not installed." "install what the message names; `soma doctor` checks them all";
    CodeUnknown "U010" 5 404 "no such code" "The catalogue has no such code." "see docs/reference/errors.md";
    ConfigurationBad "U011" 2 422 "the configuration does not parse" "A configuration file or environment variable does not parse; the message names it." "correct what the message names";
    SecretEmpty "U012" 2 422 "the secret is empty or too long" "A secret has 1 byte to 64 KiB and comes from standard input or the prompt." "pipe the value in";
    LastHead "U013" 8 409 "an org keeps at least one head" "The change would leave the org without an owner or operator." "make somebody else owner first";
    WeakPassword "U014" 2 422 "the password is too weak" "Passwords have at least 12 characters, are not one character repeated and do not hold the login name." "choose a longer one";
    OrgClosed "U015" 8 409 "the org is closed" "Nobody acts for an org that was closed." "ask an operator to open it again";

    MoneyOverflow "B001" 2 422 "an amount is beyond what the ledger holds" "Amounts are 64-bit micro-units: a product or a sum went beyond them, and nothing was posted." "use smaller amounts; for a receipt, look at the host that sent it";
    MoneyCurrency "B002" 2 422 "amounts of different currencies" "Amounts of different currencies are never compared or added." "use one currency for price, budget, account and lease";
    AmountBad "B003" 2 422 "the amount is not positive" "Transfers move more than nothing; a way back is an entry of its own." "write a positive amount";
    AccountFloor "B004" 3 402 "the account holds too little" "A prepaid account stops at zero, a credit account at its limit." "top the account up, or raise its credit limit";
    TermsBad "B005" 2 422 "price book, split or taxes are not valid" "Rates are fractions, the author's share and each tax are at most the whole, and each tax occurs once." "correct what the message names";
    OutcomeTableBad "B006" 2 422 "the outcome table is not valid" "Every outcome has a row; a killed or failed call never costs the tenant the author's price." "correct the row that the message names";
    OfferBad "B007" 2 422 "the offer is not valid" "An offer holds amounts of one currency, none of them negative, and each part is complete." "correct what the message names";
    BudgetCap "B008" 3 402 "a budget is used up" "What is spent and leased under one of the budgets of the installation, its environment or its org leaves too little." "wait for the next period, or raise the budget that the message names";
    BudgetWindow "B009" 8 409 "the budget's period is another one" "Budgets hold for one UTC day or month, stamped by the server." "use the budget of the present period";
    LeaseMove "B010" 8 409 "the lease has no such move" "A lease is open, recalling, closing, closed or lost, and the move is not legal in its state." "the message names the legal moves";
    LeaseExceeded "B011" 4 409 "the receipt goes beyond its lease" "The author's price of the call is more than the lease has left: the host spent what it was not given. Nothing was settled." "the host is quarantined; compare its journal with the lease";
    LeaseForeign "B012" 4 409 "the receipt names another's lease" "Lease, host, organisation, installation or terms are not those that the receipt says." "the host is quarantined; compare its journal with the lease";
    LeaseStart "B013" 3 409 "no call may start on this lease" "Calls start before `start_by`, on the boot that the lease was given to, while the lease is open." "ask for a new lease";
    EntriesMissing "B014" 9 409 "journal entries are missing" "Entries are taken in order, without a gap." "send the entries from the position that the message names";
    JournalForked "B015" 4 409 "the journal has forked" "Two entries have one place: neither is settled, and the host is quarantined." "an operator compares both copies; docs/reference/ledger.md tells how";
    JournalQuarantined "B016" 4 409 "the host is quarantined" "Its journal contradicted itself or its lease; nothing of it is settled until an operator decides." "an operator looks at the evidence and lifts the quarantine";
    ReceiptSettled "B017" 8 409 "the receipt is settled already" "Each receipt is settled once, by journal, sequence number and hash." "nothing is to be done";
    RefundTooLarge "B018" 8 409 "more than was paid" "Refunds and chargebacks of an entry add up to at most the entry." "refund at most what the message says is left";
    EarningMove "B019" 8 409 "the earning has no such move" "Earnings are pending until their time has passed, then available." "the message names the legal moves";
    PayoutMove "B020" 8 409 "the payout has no such move" "A payout goes from requested over approved and exported to settled, or fails." "the message names the legal moves";
    PayoutTooLarge "B021" 3 402 "less is available" "A payout takes at most what is available and not asked for by another payout." "ask for at most what the message says is available";
    PostingBad "B022" 4 500 "the posting is not a whole" "A posting has at least one transfer, all of one cause and currency, each between two accounts." "report it with the cause";
    LedgerDiffers "B023" 4 500 "the ledger differs from the meter" "What the receipts say and what was posted are not the same." "stop payouts and compare the entries that the message names";
    ReservationMissing "B024" 8 409 "no such reservation" "A reservation is settled or given back once." "nothing is to be done";
    OfferUnknown "B025" 5 404 "no such offer" "The capsule has no offer of this hash, or it is closed to new tenants." "`soma search` shows the offers of a capsule";
    BudgetUnknown "B026" 5 404 "no such budget" "Nobody set one for this scope and currency." "set it: `soma budget set`";
    PayoutUnknown "B027" 5 404 "no such payout" "There is none with this id that the token may see." "`soma account` lists them";
    ReceiptUnknown "B028" 5 404 "no such receipt" "No receipt with this journal and number was settled." "take journal and number from `soma show CALL`";
    LeasePending "B029" 9 503 "the lease is not here yet" "The host asked its server for money for this installation and waits for the answer." "retry in a moment";

    MoveIllegal "S001" 8 409 "not a legal move from this state" "Each state has its moves, and this is none of them; the message names the state and the legal ones." "make one of the moves that the message names";
    MoveStale "S002" 8 409 "it moved on in the meantime" "The command is about an attempt, revision or offer that another one has replaced." "read it again and repeat the command";
    RoleLacks "S003" 3 403 "the role does not allow it" "What a member may do follows from the roles and the kind of the organisation; docs/reference/roles.md is the table." "ask a member with one of the roles that the message names";
    PersonNeeded "S004" 3 403 "a person must do this" "Reviews, kills, payouts, consents to wider rights and changes of members are made by natural persons, never by service accounts." "log in as a user";
    OrgInactive "S005" 3 403 "the organisation is not active" "A suspended organisation may read and pay; a closed one may only read." "ask the platform to reinstate it";
    OrgKindConflict "S006" 8 409 "the organisation cannot be of these kinds" "The platform judges what publishers submit and tenants run, and so is neither of them." "use a second organisation";
    LastOwner "S007" 8 409 "the organisation would have no owner" "Every organisation has at least one owner." "make another member owner first";
    MemberUnknown "S008" 5 404 "not a member" "The organisation has no such member or service account." "`soma org members` lists them";
    TooMany "S009" 8 409 "there is no room for more" "Lists of members, attempts, revisions and findings are bounded; the message names the bound." "remove what is no longer needed";
    TextBad "S010" 2 422 "the text is empty, too long or not plain" "Reasons, evidence and comments have 1 to 2000 bytes of plain text." "write the reason as plain text";
    NamespaceTaken "S011" 8 409 "the publisher name is taken" "A publisher name belongs to one organisation and is never given out a second time." "choose another name, or have it transferred";
    NamespaceReserved "S012" 3 403 "the publisher name is reserved" "Names that people would take for the marketplace itself are given out by the platform only." "choose another name";
    NamespaceForeign "S013" 3 403 "the publisher name is another organisation's" "Only the organisation that owns a publisher name publishes under it and changes what it published." "use the organisation that owns it";
    CoolOff "S014" 8 409 "it must wait" "Changes that a stolen account would make take effect only after a pause in which they can be stopped; the message names its end." "wait until the time that the message names";
    VersionTaken "S015" 8 409 "the version is taken" "A name and version are bound to one digest for ever, whatever became of it; build metadata makes no other version." "raise the version in capsule.toml";
    DigestRepeated "S016" 8 409 "the same content again" "An attempt with this digest was made before and needs no second one." "build a changed component, or wait for the review";
    NameFrozen "S017" 8 409 "the capsule's name is frozen" "A release of this name was killed. New ones wait until an operator has looked." "ask the platform to unfreeze the name";
    ReviewSelf "S018" 3 403 "the reviewer is on the publisher's side" "Nobody reviews what they, or an organisation that they belong or lately belonged to, publish." "have another person review it";
    ReviewReason "S019" 2 422 "the decision needs a reason" "Sending back, rejecting and overriding a finding are explained to the publisher and kept." "say why with --reason";
    ReviewOverride "S020" 3 403 "grave findings need an override" "A finding of severity high is passed only by a person who may override, with a reason." "ask an owner or admin of the platform to override it with a reason";
    ReviewBlocked "S021" 8 409 "a finding blocks the release" "A critical finding cannot be overridden." "send the attempt back for revision, or reject it";
    ApprovalMissing "S022" 8 409 "not approved" "What is installed was approved by a review, in exactly this content." "wait for the review";
    ReleaseYanked "S023" 8 409 "the release is yanked" "Its publisher or the platform took it back; what is installed stays, new installations are refused." "choose another version";
    ReleaseRevoked "S024" 8 409 "the release is revoked" "A revoked release is never run again; lifting the kill does not change that." "choose another version";
    ConsentNeeded "S025" 8 409 "the tenant must agree first" "The change asks for more than was agreed: wider rights, a higher price, another owner or weaker proof of origin." "look at the difference and accept it: `soma upgrade --accept`";
    ConsentStale "S026" 8 409 "agreed to something else" "The consent names another change than the one that is made now." "look at the difference again and accept that";
    NoPrevious "S027" 8 409 "there is no previous revision" "A rollback swaps the active revision with the one before, and there is none." "upgrade to the version that is wanted";
    ActivationPending "S028" 8 409 "a change is under way" "The last change of this installation is not active on every host yet." "wait for it, or roll back";
    GateFailed "S029" 8 409 "the health gate failed" "The new revision failed its health check or its share of calls, and the old one stays active." "report it to the author; the receipts are under `soma ps`";
    RatingNotRun "S030" 3 403 "only who ran it may rate it" "Ratings come from tenants with a settled call of the capsule." "call it first";
    RatingSelf "S031" 3 403 "publishers do not rate themselves" "Members of the publishing organisation, as persons, do not rate its capsules." "leave it to your users";
    RatingStars "S032" 2 422 "a rating has one to five stars" "Stars are a whole number from 1 to 5." "give 1, 2, 3, 4 or 5";
    RecordCorrupt "S033" 9 500 "a stored record contradicts itself" "What was read back breaks a rule that every change keeps." "restore the database from a backup and verify the audit chain";
    ReleaseUnknown "S034" 5 404 "no such release" "No capsule of this name and version is published here." "`soma search` lists what is published";
    SubmissionUnknown "S035" 5 404 "no such submission" "There is none with this id that the token may see." "`soma review list` shows those that wait";
    NamespaceUnknown "S036" 5 404 "no such publisher name" "Nobody claimed it yet." "claim it: `soma org claim NAME`";
    HostNotEnrolled "S037" 5 404 "no such host" "No host of this name joined." "`soma host list` names those that did";

    ProvenanceMissing "F001" 4 422 "no provenance" "Nothing says from which sources and on which builder the component was made." "attach a provenance statement when submitting";
    ProvenanceMismatch "F002" 4 422 "the provenance is of another component" "The attached statement names a digest that is not the component's." "attach the statement of this build";
    SbomMissing "F003" 4 422 "no bill of materials" "Nothing says which libraries the component contains." "attach an SBOM, or build with `soma capsule build`";
    SbomMismatch "F004" 4 422 "the bill of materials does not match" "The SBOM names another component, or lacks what the component contains." "attach the SBOM of this build";
    VulnerabilityKnown "F005" 4 422 "a known vulnerability" "A library of the component has a published advisory." "update the library that the evidence names";
    MalwarePattern "F006" 4 422 "it looks like malware" "The component contains a pattern that known malware has." "remove it, or explain it to the reviewer";
    SecretPattern "F007" 4 422 "it contains a secret" "Something in the component or manifest looks like a key or password. Treat it as published." "revoke the secret, remove it and submit again";
    NameSimilar "F008" 4 422 "the name is close to another one" "People could take it for the capsule that the evidence names." "choose a name that cannot be mistaken";
    NamespaceNotOwned "F009" 4 422 "the publisher name is not the submitter's" "The manifest names a publisher that belongs to another organisation." "submit it as the organisation that owns the name";
    SignerChanged "F010" 4 422 "signed with another key than before" "The last version was signed with another key of the publisher." "say in the release notes why the key changed";
    BehaviourUndeclared "F011" 4 422 "it did more than it declares" "Under observation the capsule asked for something that its manifest does not declare." "declare it, or remove it";
    BehaviourFragile "F012" 4 422 "it failed when its surroundings did" "Under refusals, slow peers or broken answers the capsule trapped or used up its limits." "handle errors of host calls";
    PassportMissing "F013" 4 422 "its behaviour was not observed" "No conformance passport belongs to this digest." "wait for the behaviour review";
    SizeUnusual "F014" 4 422 "much larger than before" "The component grew to more than twice the size of the last version." "strip it, or say what was added";
    LicenceUnknown "F015" 4 422 "the licence is not known" "The licence is no SPDX expression that the marketplace knows." "write an SPDX expression in capsule.toml";
}
