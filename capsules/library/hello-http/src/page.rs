//! The one page. No script, no outside resource: it works under the strictest content policy.

pub(crate) const HTML: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width\">
<title>Hello from a capsule</title>
<h1>Hello from a capsule</h1>
<p>This page was written by a WebAssembly component. It was verified before it was loaded, it holds no capability,
and its time and memory are metered.</p>
<ul>
<li><a href=\"/echo?x=1\">/echo</a>: what reaches the capsule of your request</li>
<li><code>POST /upper</code>: your text in capitals, as it arrives</li>
</ul>
</html>
";
