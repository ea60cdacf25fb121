//! What a whole platform costs, over the real `soma up` and further host processes on loopback. The rows go to
//! `parts/` in the results' folder, from where `measures` takes them into its report. It deliberately judges nothing.
//!
//! Words after the options choose groups: `kills first overhead`.

mod first;
mod kills;
mod overhead;
mod rows;

use rows::Rows;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let groups: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|word| !word.starts_with("--")).collect();
    let wanted = |group: &str| groups.is_empty() || groups.contains(&group);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut rows = Rows::default();
    runtime.block_on(async {
        if wanted("kills") {
            kills::run(&mut rows).await?;
        }
        if wanted("first") {
            first::run(&mut rows).await?;
        }
        if wanted("overhead") {
            overhead::run(&mut rows).await?;
        }
        rows.write("platform")
    })
}
