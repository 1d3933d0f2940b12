//! HTTP with wstd, which is made for wasi:http. Clients that use sockets do not work here.

use wstd::http::{Body, Client, Request};

wit_bindgen::generate!({ path: "wit", world: "fetch-rs" });

struct Component;

async fn text_of(url: &str) -> Result<String, String> {
    let request = Request::get(url).body(Body::empty()).map_err(|error| error.to_string())?;
    let response = Client::new().send(request).await.map_err(|error| error.to_string())?;
    let status = response.status();
    let mut body = response.into_body();
    let bytes = body.contents().await.map_err(|error| error.to_string())?;
    if !status.is_success() {
        return Err(format!("{url} answered with status {}", status.as_u16()));
    }
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

impl Guest for Component {
    fn fetch(url: String) -> Result<String, String> {
        wstd::runtime::block_on(text_of(&url))
    }
}

export!(Component);
