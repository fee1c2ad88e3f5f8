//! The patterns that others refer to: logstash's, those that Glue has beside them, and a table's own.

use std::collections::HashMap;

/// What Glue has beside logstash's patterns or writes differently, and what can be written so that
/// it takes fewer attempts.
///
/// Source: AWS Glue developer guide, "Writing custom classifiers" (the names, and that a host's name
/// is tried before an address).
const OWN: [(&str, &str); 11] = [
    // Java's classes are ASCII's.
    ("WORD", r"\b[0-9A-Za-z_]+\b"),
    ("NOTSPACE", r"[^ \t\n\x0b\x0c\r]+"),
    ("BOOLEAN", "(?i:true|false)"),
    ("HOST", "%{HOSTNAME}"),
    ("IPORHOST", "(?:%{HOSTNAME}|%{IP})"),
    ("IP", "(?:%{IPV4}|%{IPV6})"),
    ("HTTPDUSER", "%{USER}(?:@%{HOSTNAME})?"),
    ("YEAR", "(?>[0-9]{4}|[0-9]{2})"),
    ("TIME", "%{HOUR}:%{MINUTE}:%{SECOND}(?![0-9])"),
    ("MESSAGESLOG", "%{SYSLOGBASE} %{DATA}"),
    (
        "COMMONAPACHELOG_DATATYPED",
        r#"%{IPORHOST:clientip} %{USER:ident;boolean} %{USER:auth} \[%{HTTPDATE:timestamp;date}\] "(?:%{WORD:verb;string} %{NOTSPACE:request}(?: HTTP/%{NUMBER:httpversion;float})?|%{DATA:rawrequest})" %{NUMBER:response;int} (?:%{NUMBER:bytes;long}|-)"#,
    ),
];

/// A pattern that every table may refer to.
pub(super) fn standard(name: &str) -> Option<&'static str> {
    let own = OWN.iter().find(|(own, _)| *own == name);
    let known = own.or_else(|| ::grok::patterns().iter().find(|(known, _)| *known == name));
    known.map(|(_, pattern)| *pattern)
}

/// A table's own patterns: a line each, the name before the first white space.
pub(super) fn custom(text: &str) -> HashMap<&str, &str> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(|c: char| c.is_ascii_whitespace()))
        .map(|(name, pattern)| (name, pattern.trim_start()))
        .collect()
}

#[cfg(test)]
mod tests {
    use personalize_plan::GrokFormat;

    use super::*;
    use crate::grok::Grok;

    fn matches(name: &str, text: &str) -> bool {
        let pattern = format!("^(?:%{{{name}}})$");
        let grok = Grok::new(&GrokFormat { pattern, custom_patterns: String::new() });
        grok.expect(name).begins(text)
    }

    #[test]
    fn every_standard_pattern_can_be_used() {
        for (name, _) in ::grok::patterns().iter().chain(&OWN) {
            let pattern = format!("%{{{name}:x}}");
            let grok = Grok::new(&GrokFormat { pattern, custom_patterns: String::new() });
            assert!(grok.is_ok(), "{name}: {grok:?}");
        }
    }

    #[test]
    fn standard_patterns_match_what_they_are_called() {
        for (name, good, bad) in [
            ("USERNAME", "jo.do-1_x", "jo do"),
            ("INT", "-12", "1.5"),
            ("NUMBER", "-1.5", "1."),
            ("BOOLEAN", "True", "yes"),
            ("IP", "2001:db8::ff00:42:8329", "300.1.1.1"),
            ("IP", "203.0.113.7", "203.0.113"),
            ("IPORHOST", "2001:db8::1", "a b"),
            ("HOSTNAME", "shop.example.com", "-x"),
            ("HOSTPORT", "shop.example.com:8080", "shop.example.com"),
            ("URI", "https://jo@example.com:80/a/b?c=d&e=%20", "//example"),
            ("URIPATHPARAM", "/a/b.html?x=1", "a/b"),
            ("PATH", "/var/log/x.log", "x"),
            ("PATH", "C:\\Windows\\x.log", "C:x"),
            ("TIMESTAMP_ISO8601", "2019-01-10T22:12:01.123Z", "2019-13-10T22:12:01"),
            ("TIMESTAMP_ISO8601", "2019-01-10 22:12:01+01:00", "2019-01-10"),
            ("HTTPDATE", "10/Oct/2000:13:55:36 -0700", "10/Okt/2000"),
            ("YEAR", "2019", "201"),
            ("TIME", "22:12:01,5", "22:12"),
            ("SYSLOGTIMESTAMP", "Jan  9 06:25:01", "9 Jan 06:25:01"),
            ("LOGLEVEL", "WARNING", "LOUD"),
            ("UUID", "9d6f2a31-0000-4000-8000-0123456789ab", "9d6f2a31"),
            ("MAC", "00:1b:63:84:45:e6", "00:1b"),
            ("MAC", "001b.6384.45e6", "001b"),
            ("QS", "\"a \\\" b\"", "a"),
            ("WORD", "a_1", "é"),
            ("HTTPDUSER", "jo@example.com", "jo doe"),
        ] {
            assert!(matches(name, good), "{name} {good}");
            assert!(!matches(name, bad), "{name} {bad}");
        }
    }

    #[test]
    fn a_tables_own_patterns_stand_on_lines() {
        let custom = custom("# mine\r\nA  x y \r\n\nB\t%{A}\nnothing\n");
        assert_eq!(custom, HashMap::from([("A", "x y"), ("B", "%{A}")]));
    }
}
