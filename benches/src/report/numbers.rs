//! How figures are written: with as many digits as mean something, and commas between thousands.

/// A number with three significant digits, as in `1,230,000`, `45.6` or `0.079`.
pub fn significant(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let magnitude = value.abs().log10().floor() as i32;
    let unit = 10f64.powi(magnitude - 2);
    let rounded = (value / unit).round() * unit;
    if rounded.abs() >= 100.0 {
        return grouped(rounded.round() as u64);
    }
    // Rounding may have carried into another digit: 9.999 is 10.0.
    let magnitude = (rounded.abs() * (1.0 + f64::EPSILON)).log10().floor() as i32;
    format!("{rounded:.*}", (2 - magnitude).max(0) as usize)
}

/// A whole number with commas between thousands.
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_are_significant() {
        for (value, text) in [
            (1_234_567.0, "1,230,000"),
            (999.6, "1,000"),
            (123.4, "123"),
            (45.64, "45.6"),
            (9.999, "10.0"),
            (1.0, "1.00"),
            (0.0789, "0.0789"),
            (0.0, "0"),
        ] {
            assert_eq!(significant(value), text);
        }
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(12_345_678), "12,345,678");
    }
}
