//! The trait `Guest` has a function for each of the world in wit/world.wit, in snake_case. Files work
//! through `std::fs`. For HTTP add a client made for wasi:http; clients that use sockets do not work.

wit_bindgen::generate!({ path: "wit", world: "{{name}}" });

struct Component;

impl Guest for Component {
    fn greet(who: String) -> Result<String, String> {
        if who.is_empty() {
            return Err("nobody to greet".to_string());
        }
        Ok(format!("Hello, {who}!"))
    }

    fn count_words(text: String) -> u32 {
        text.split_whitespace().count() as u32
    }
}

export!(Component);
