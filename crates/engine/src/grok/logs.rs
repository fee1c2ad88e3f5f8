//! Tells the logs that crawlers know of themselves by their first lines.

use std::sync::LazyLock;

use personalize_plan::{GrokFormat, LOG_CLASSIFIERS};

use super::Grok;
use super::lines::is_directive;

/// Lines that are looked at.
const SAMPLE: usize = 100;

/// The words of the shortest line that any pattern takes.
const LEAST_WORDS: usize = 4;

static CLASSIFIERS: LazyLock<Vec<(&str, &str, Grok)>> = LazyLock::new(|| {
    let compiled = |(name, pattern): (&'static str, &'static str)| {
        let format = GrokFormat { pattern: pattern.to_owned(), custom_patterns: String::new() };
        Some((name, pattern, Grok::new(&format).ok()?))
    };
    LOG_CLASSIFIERS.into_iter().filter_map(compiled).collect()
});

/// The classification and pattern of the first kind of log that nine tenths of the whole lines in
/// `head` are of.
pub(crate) fn recognise(head: &[u8]) -> Option<(&'static str, &'static str)> {
    let whole = &head[..memchr::memrchr(b'\n', head)?];
    let lines = whole.split(|c| *c == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let texts = lines.map(|line| std::str::from_utf8(line).ok());
    let counts = |line: &Option<&str>| line.is_none_or(|l| !l.is_empty() && !is_directive(l));
    let sample: Vec<Option<&str>> = texts.filter(counts).take(SAMPLE).collect();
    let most_misses = sample.len() / 10;
    // No such line has fewer words, and patterns take long to make ready.
    let few_words = |line: &&Option<&str>| {
        line.is_none_or(|line| line.split_ascii_whitespace().nth(LEAST_WORDS - 1).is_none())
    };
    if sample.iter().filter(few_words).count() > most_misses {
        return None;
    }
    let found = CLASSIFIERS.iter().find(|(_, _, grok)| {
        let misses = sample.iter().filter(|line| !line.is_some_and(|line| grok.begins(line)));
        !sample.is_empty() && misses.take(most_misses + 1).count() <= most_misses
    });
    found.map(|(name, pattern, _)| (*name, *pattern))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMBINED: &str = r#"203.0.113.7 - jo [10/Oct/2000:13:55:36 -0700] "GET /item/1?x=\"y\" HTTP/1.1" 200 2326 "https://shop.example.com/" "Mozilla/5.0 (X11; \"x\")""#;

    /// A line of each kind, and some of what it should become.
    const SAMPLES: [(&str, &str, &str); 15] = [
        (
            "combined_apache",
            COMBINED,
            r#"{"clientip":"203.0.113.7","ident":"-","auth":"jo","timestamp":"10/Oct/2000:13:55:36 -0700","verb":"GET","httpversion":"1.1","response":"200","bytes":"2326","referrer":"https://shop.example.com/","agent":"Mozilla/5.0 (X11; \\\"x\\\")"}"#,
        ),
        (
            "combined_apache",
            r#"2001:db8::1 - - [10/Oct/2000:13:55:36 +0000] "-" 408 - "-" "-""#,
            r#"{"clientip":"2001:db8::1","rawrequest":"-","response":"408","referrer":"-","agent":"-"}"#,
        ),
        (
            "apache",
            r#"host.example.com - - [10/Oct/2000:13:55:36 -0700] "POST /cart HTTP/1.0" 302 -"#,
            r#"{"clientip":"host.example.com","verb":"POST","request":"/cart","response":"302"}"#,
        ),
        (
            "linux_kernel",
            "Jan  9 06:25:01 web-01 kernel: [1234567.890123] TCP: out of memory",
            r#"{"timestamp":"Jan  9 06:25:01","hostname":"web-01","program":"kernel","uptime":"1234567.890123","message":"TCP: out of memory"}"#,
        ),
        (
            "linux_kernel",
            "Jan 19 06:25:01 web-01 kernel: [    0.000000] Linux version 5.4",
            r#"{"uptime":"0.000000","message":"Linux version 5.4"}"#,
        ),
        (
            "linux_kernel",
            "Jan 19 06:25:01 10.0.0.1 sshd[812]: Accepted publickey for jo",
            r#"{"hostname":"10.0.0.1","program":"sshd","pid":"812","message":"Accepted publickey for jo"}"#,
        ),
        (
            "microsoft_log",
            "2019-01-10 22:12:01 10.0.0.5 GET /item.aspx id=1 443 - 203.0.113.7 Mozilla/5.0+(Windows+NT+10.0) https://shop.example.com/ 200 0 0 15",
            r#"{"timestamp":"2019-01-10 22:12:01","s_ip":"10.0.0.5","cs_method":"GET","cs_uri_stem":"/item.aspx","cs_uri_query":"id=1","s_port":"443","cs_username":"-","c_ip":"203.0.113.7","cs_user_agent":"Mozilla/5.0+(Windows+NT+10.0)","cs_referer":"https://shop.example.com/","sc_status":"200","sc_substatus":"0","sc_win32_status":"0","time_taken":"15"}"#,
        ),
        (
            "microsoft_log",
            "2005-01-10 22:12:01 W3SVC1 10.0.0.5 GET /item.asp - 80 jo 203.0.113.7 Mozilla/4.0 304 0 64",
            r#"{"s_sitename":"W3SVC1","s_ip":"10.0.0.5","cs_method":"GET","cs_username":"jo","c_ip":"203.0.113.7","cs_user_agent":"Mozilla/4.0","sc_status":"304","sc_substatus":"0","sc_win32_status":"64"}"#,
        ),
        (
            "ruby_logger",
            "I, [1999-03-03T02:34:24.895701 #19074]  INFO -- Main: info: x.",
            r#"{"timestamp":"1999-03-03T02:34:24.895701","pid":"19074","loglevel":"INFO","progname":"Main","message":"info: x."}"#,
        ),
        (
            "ruby_logger",
            "W, [2019-03-03T02:34:24.895701 #19074]  WARN -- : no name",
            r#"{"loglevel":"WARN","progname":"","message":"no name"}"#,
        ),
        (
            "squid",
            "1286536309.450    180 192.168.0.224 TCP_MISS/200 411 GET http://example.com/a?b - HIER_DIRECT/93.184.216.34 text/html",
            r#"{"timestamp":"1286536309.450","duration":"180","client_address":"192.168.0.224","cache_result":"TCP_MISS","status_code":"200","bytes":"411","request_method":"GET","url":"http://example.com/a?b","user":"-","hierarchy_code":"HIER_DIRECT","server":"93.184.216.34","content_type":"text/html"}"#,
        ),
        (
            "squid",
            "1286536309.450      0 192.168.0.224 TCP_DENIED/407 3901 CONNECT example.com:443 jo NONE/- text/html",
            r#"{"cache_result":"TCP_DENIED","request_method":"CONNECT","url":"example.com:443","user":"jo","hierarchy_code":"NONE","server":"-"}"#,
        ),
        (
            "redismonlog",
            r#"1339518083.107412 [0 127.0.0.1:60866] "set" "x" "1""#,
            r#"{"timestamp":"1339518083.107412","database":"0","client":"127.0.0.1","port":"60866","command":"set","params":"\"x\" \"1\""}"#,
        ),
        (
            "redislog",
            "12345:M 01 Jan 2020 00:00:00.123 * Ready to accept connections",
            r#"{"pid":"12345","role":"M","timestamp":"01 Jan 2020 00:00:00.123","level":"*","message":"Ready to accept connections"}"#,
        ),
        (
            "redislog",
            "[4018] 14 Nov 07:01:22.119 # Background saving: error",
            r##"{"pid":"4018","timestamp":"14 Nov 07:01:22.119","level":"#","message":"Background saving: error"}"##,
        ),
    ];

    #[test]
    fn every_kind_of_log_is_told_by_its_lines() {
        assert_eq!(CLASSIFIERS.len(), LOG_CLASSIFIERS.len());
        for (name, _) in LOG_CLASSIFIERS {
            assert!(SAMPLES.iter().any(|(kind, _, _)| *kind == name), "{name}");
        }
        for (name, line, _) in SAMPLES {
            let text = format!("#Fields: x\r\n{line}\r\n\n{line}\n{}", &line[..9]);
            let found = recognise(text.as_bytes()).map(|(name, _)| name);
            assert_eq!(found, Some(name), "{line}");
        }
    }

    #[test]
    fn lines_of_no_kind_are_told_in_one_pass() {
        for (name, _, grok) in CLASSIFIERS.iter() {
            assert!(grok.filter.is_some(), "{name}");
        }
    }

    #[test]
    fn every_kind_of_log_becomes_its_usual_fields() {
        for (name, line, expected) in SAMPLES {
            let (_, _, grok) = CLASSIFIERS.iter().find(|(kind, _, _)| *kind == name).unwrap();
            let mut object = String::new();
            grok.write(line, true, &mut object).expect(line);
            let found: serde_json::Value = serde_json::from_str(&object).unwrap();
            let expected: serde_json::Value = serde_json::from_str(expected).unwrap();
            for (field, value) in expected.as_object().unwrap() {
                assert_eq!(found.get(field), Some(value), "{field} of {line}");
            }
        }
    }

    #[test]
    fn one_line_in_ten_may_be_another() {
        let text = |good, bad| format!("{COMBINED}\n").repeat(good) + &"other\n".repeat(bad);
        assert!(recognise(text(18, 2).as_bytes()).is_some());
        assert!(recognise(text(18, 3).as_bytes()).is_none());
        for other in ["", "\n\n", "a,b,c\n1,2,3\n", "{\"a\":1}\n", COMBINED, "\u{ff}\n"] {
            assert_eq!(recognise(other.as_bytes()), None, "{other}");
        }
        let vhost = format!("www.example.com:80 {COMBINED}\n");
        assert_eq!(recognise(vhost.as_bytes()), None);
    }
}
