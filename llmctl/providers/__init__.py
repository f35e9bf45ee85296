"""Who answers: a gateway over the transports `direct`, `litellm`, `local` and `fake`."""
