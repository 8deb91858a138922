"""What the runtime is made of beside our own code: pins, licences, known vulnerabilities."""
