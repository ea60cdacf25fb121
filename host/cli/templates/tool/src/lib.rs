//! The `{{publisher}}/{{name}}` capsule: one GET request, allowed by `[capabilities.http.api]` and nothing else.

mod request;

wit_bindgen::generate!({ path: "wit", world: "{{name}}" });

struct Capsule;

impl Guest for Capsule {
    fn zen() -> Result<String, String> {
        let (status, body) = request::get("api.github.com", "/zen")?;
        let text = String::from_utf8_lossy(&body).trim().to_owned();
        if status == 200 { Ok(text) } else { Err(format!("status {status}: {text}")) }
    }
}

export!(Capsule);
