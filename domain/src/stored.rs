//! What is left out of stored forms.

/// Whether a field says nothing that its absence would not.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
