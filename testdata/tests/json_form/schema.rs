//! A validator for the part of JSON Schema that the published schema uses; another keyword is an error.

use std::collections::BTreeMap;
use std::sync::Mutex;

use regex::Regex;
use serde_json::Value;

pub struct Validator {
    schema: Value,
    patterns: Mutex<BTreeMap<String, Regex>>,
}

impl Validator {
    pub fn new(schema: &str) -> Self {
        Self { schema: serde_json::from_str(schema).unwrap(), patterns: Mutex::default() }
    }

    /// Says where and why a value is refused.
    pub fn validate(&self, value: &Value) -> Result<(), String> {
        self.check(&self.schema, value, "")
    }

    fn check(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        let rules = schema.as_object().unwrap();
        for (rule, of) in rules {
            let fine = match rule.as_str() {
                "$schema" | "title" | "description" | "$defs" => true,
                "$ref" => {
                    let name = of.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                    let target = self.schema["$defs"].get(name).unwrap_or_else(|| panic!("no {name}"));
                    self.check(target, value, at)?;
                    true
                }
                "type" => match of.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "number" => value.is_number(),
                    "integer" => value.as_i64().is_some(),
                    "boolean" => value.is_boolean(),
                    other => panic!("type {other}"),
                },
                "const" => value == of,
                "enum" => of.as_array().unwrap().contains(value),
                "pattern" => value.as_str().is_none_or(|text| self.matches(of.as_str().unwrap(), text)),
                "minimum" => value.as_f64().is_none_or(|number| number >= of.as_f64().unwrap()),
                "maximum" => value.as_f64().is_none_or(|number| number <= of.as_f64().unwrap()),
                "minItems" => value.as_array().is_none_or(|list| list.len() as u64 >= of.as_u64().unwrap()),
                "maxItems" => value.as_array().is_none_or(|list| list.len() as u64 <= of.as_u64().unwrap()),
                "required" => value.as_object().is_none_or(|object| {
                    of.as_array().unwrap().iter().all(|name| object.contains_key(name.as_str().unwrap()))
                }),
                "properties" => {
                    for (name, inner) in value.as_object().into_iter().flatten() {
                        if let Some(schema) = of.get(name) {
                            self.check(schema, inner, &format!("{at}/{name}"))?;
                        }
                    }
                    true
                }
                "additionalProperties" => {
                    assert_eq!(of, &Value::Bool(false));
                    let known = rules["properties"].as_object().unwrap();
                    value.as_object().is_none_or(|object| object.keys().all(|name| known.contains_key(name)))
                }
                "prefixItems" => {
                    let list = value.as_array().into_iter().flatten();
                    for (index, (inner, schema)) in list.zip(of.as_array().unwrap()).enumerate() {
                        self.check(schema, inner, &format!("{at}/{index}"))?;
                    }
                    true
                }
                "items" => {
                    let before = rules.get("prefixItems").map_or(0, |list| list.as_array().unwrap().len());
                    let list = value.as_array().into_iter().flatten().enumerate().skip(before);
                    for (index, inner) in list {
                        self.check(of, inner, &format!("{at}/{index}"))?;
                    }
                    true
                }
                "allOf" => {
                    for schema in of.as_array().unwrap() {
                        self.check(schema, value, at)?;
                    }
                    true
                }
                "not" => self.check(of, value, at).is_err(),
                "oneOf" => {
                    let hits = of.as_array().unwrap().iter().filter(|one| self.check(one, value, at).is_ok());
                    hits.count() == 1
                }
                other => panic!("this validator does not know `{other}`"),
            };
            if !fine {
                return Err(format!("{at}: {rule}"));
            }
        }
        Ok(())
    }

    fn matches(&self, pattern: &str, text: &str) -> bool {
        let mut patterns = self.patterns.lock().unwrap();
        patterns.entry(pattern.to_owned()).or_insert_with(|| Regex::new(pattern).unwrap()).is_match(text)
    }
}
