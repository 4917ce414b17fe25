"""A shopper's rights: everything that is held of a shopper, handed out or deleted."""
