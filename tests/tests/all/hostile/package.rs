//! Packages that nobody's tools would make: tampered, unsigned, signed by the wrong key, or built to
//! hurt whoever parses them. Each must be refused by `soma install` with its code.

use soma_capsule::{KeyPair, section};
use soma_tests::guests;
use soma_tests::package::Package;

use super::forge::{Forge, manifest};
use super::judge::Got;
use super::place::Place;
use super::table::Row;
use super::wat::of_install;

pub(crate) async fn run(row: &Row, place: &Place) -> Got {
    let case = row.name.trim_start_matches("package-");
    if case == "dev-key" {
        return dev_key(place).await;
    }
    if case == "wrong-digest" {
        return wrong_digest(place).await;
    }
    let package = make(case, &place.forge);
    let path = package.write(&place.range.home.beside("tampered"), case).unwrap();
    if package.bundle.is_empty() {
        std::fs::remove_file(path.with_extension("sigstore.json")).unwrap();
    }
    let install = place.range.home.soma().unwrap().args(["install"]).args([path]);
    of_install(&install.args(["--as", "tampered"]).finish().await.unwrap())
}

pub(crate) fn make(case: &str, forge: &Forge) -> Package {
    let component = guests::hostile_text("loop-function").unwrap();
    let good = || forge.package(&component, "good");
    let signed = |bytes: Vec<u8>| Package::sign(bytes, &forge.key).unwrap();
    match case {
        // What compilers of WebAssembly write: an ELF file.
        "precompiled" => signed([b"\x7fELF\x02\x01\x01".as_slice(), &[0; 4096]].concat()),
        "oversize" => signed(padded(&component, 33 << 20)),
        "garbage" => signed(vec![0xa5; 4096]),
        "truncated" => {
            let whole = good().component;
            signed(whole[..whole.len() - 7].to_vec())
        }
        "nesting-bomb" => forge.package(&nested(5000), "good"),
        "type-bomb" => forge.package(&doubling(40), "good"),
        "function-bomb" => forge.package(&crowd(300_000), "good"),
        "wrong-key" => {
            Package::new(&component, &manifest("good"), &KeyPair::generate().unwrap()).unwrap()
        }
        "other-publisher" => {
            Package::new(&component, &manifest("good").replace("mallory/", "soma/"), &forge.key)
                .unwrap()
        }
        "unknown-publisher" => {
            let manifest = manifest("good").replace("mallory/", "nobody/");
            Package::new(&component, &manifest, &KeyPair::generate().unwrap()).unwrap()
        }
        "stripped-signature" => Package { bundle: Vec::new(), ..good() },
        "broken-signature" => flipped_signature(good()),
        "swapped-component" => Package {
            component: forge.package(&guests::hostile_text("stack").unwrap(), "good").component,
            ..good()
        },
        "swapped-manifest" => {
            Package { component: forge.package(&component, "other").component, ..good() }
        }
        "two-manifests" => signed(section_before(&good().component)),
        "hidden-manifest" => signed([good().component, custom("hidden", b"{}")].concat()),
        "loose-manifest" => signed([component.clone(), custom("soma:manifest", &loose())].concat()),
        "no-manifest" => signed(component),
        "ansi-name" => signed([component.clone(), custom("soma:manifest", &steering())].concat()),
        other => panic!("no package is called {other}"),
    }
}

/// A manifest whose canonical form was loosened by a space.
fn loose() -> Vec<u8> {
    let component = guests::hostile_text("loop-function").unwrap();
    let file = soma_capsule::CapsuleFile::parse(&manifest("good")).unwrap();
    let packed = section::embed(&component, &file.manifest.to_canonical().unwrap()).unwrap();
    let text = section::extract(&packed).unwrap().to_vec();
    [b"{ ", &text[1..]].concat()
}

/// A manifest whose name would clear the screen.
fn steering() -> Vec<u8> {
    let text = String::from_utf8(loose()).unwrap().replacen("{ ", "{", 1);
    text.replace("mallory/good", "mallory/\\u001b[2Jgood").into_bytes()
}

/// A custom section.
fn custom(name: &str, payload: &[u8]) -> Vec<u8> {
    let mut body = leb(name.len());
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(payload);
    [vec![0], leb(body.len()), body].concat()
}

fn leb(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        bytes.push(if value == 0 { low } else { low | 0x80 });
        if value == 0 {
            return bytes;
        }
    }
}

/// A second manifest right after the magic number.
fn section_before(component: &[u8]) -> Vec<u8> {
    [&component[..8], &custom("soma:manifest", b"{}"), &component[8..]].concat()
}

fn padded(component: &[u8], bytes: usize) -> Vec<u8> {
    [component.to_vec(), custom("padding", &vec![0; bytes])].concat()
}

fn flipped_signature(package: Package) -> Package {
    let mut bundle: serde_json::Value = serde_json::from_slice(&package.bundle).unwrap();
    let signature = bundle["messageSignature"]["signature"].as_str().unwrap();
    // The middle of the base64 text: inside the numbers, not in the framing.
    let middle = signature.len() / 2;
    let other = if signature.as_bytes()[middle] == b'A' { "B" } else { "A" };
    let changed = format!("{}{other}{}", &signature[..middle], &signature[middle + 1..]);
    bundle["messageSignature"]["signature"] = changed.into();
    Package { bundle: serde_json::to_vec(&bundle).unwrap(), ..package }
}

/// A component in a component in a component …
fn nested(depth: usize) -> Vec<u8> {
    let mut inner = b"\0asm\x0d\0\x01\0".to_vec();
    for _ in 0..depth {
        let mut outer = b"\0asm\x0d\0\x01\0".to_vec();
        outer.push(4);
        outer.extend(leb(inner.len()));
        outer.extend(inner);
        inner = outer;
    }
    inner
}

/// Very many functions that do nothing.
fn crowd(functions: usize) -> Vec<u8> {
    let count = leb(functions);
    let section = |id: u8, body: Vec<u8>| [vec![id], leb(body.len()), body].concat();
    let types = section(1, vec![1, 0x60, 0, 0]);
    let declared = section(3, [count.clone(), vec![0; functions]].concat());
    let bodies = section(10, [count, [2, 0, 0x0b].repeat(functions)].concat());
    let module = [b"\0asm\x01\0\0\0".to_vec(), types, declared, bodies].concat();
    [b"\0asm\x0d\0\x01\0".to_vec(), section(1, module)].concat()
}

/// A type of two of the type before, and so on: twice the size at each level.
fn doubling(levels: usize) -> Vec<u8> {
    let mut types = String::from("(type $t0 (tuple u64 u64))\n");
    for level in 1..levels {
        types.push_str(&format!("(type $t{level} (tuple $t{0} $t{0}))\n", level - 1));
    }
    let last = levels - 1;
    let text = format!(
        "(component {types}
           (core module $m (memory (export \"memory\") 1) (func (export \"run\") (result i32) (i32.const 0)))
           (core instance $i (instantiate $m))
           (func (export \"run\") (result $t{last}) (canon lift (core func $i \"run\") (memory (core memory $i \"memory\")))))"
    );
    wat::parse_str(text).unwrap()
}

/// Installed under one digest, then pinned to another.
async fn wrong_digest(place: &Place) -> Got {
    let package = place.forge.package(&guests::hostile_text("stack").unwrap(), "pinned");
    let home = &place.range.home;
    let path = package.write(&home.beside("tampered"), "pinned").unwrap();
    // The right signature of other content: a byte of padding more.
    let mut other = package.component.clone();
    other.extend(custom("soma:manifest", b"{}"));
    std::fs::write(&path, other).unwrap();
    of_install(
        &home
            .soma()
            .unwrap()
            .args(["install"])
            .args([path])
            .args(["--as", "pinned"])
            .finish()
            .await
            .unwrap(),
    )
}

/// `soma capsule run` signs with a key of this machine; a production host must not take it.
async fn dev_key(place: &Place) -> Got {
    let home = &place.range.home;
    let package = place.forge.package(&guests::hostile_text("stack").unwrap(), "dev");
    let path = package.write(&home.beside("tampered"), "dev").unwrap();
    let sign = home.soma().unwrap().args(["capsule", "sign"]).args([&path]).args(["--dev"]);
    sign.finish().await.unwrap();
    of_install(
        &home
            .soma()
            .unwrap()
            .args(["install"])
            .args([path])
            .args(["--as", "dev"])
            .finish()
            .await
            .unwrap(),
    )
}
