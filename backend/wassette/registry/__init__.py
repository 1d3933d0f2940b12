"""Components from registries (OCI) and from the web (https), and what is known of them there.

model        what a fetch gives, and what else can be asked of a registry
web          requests: addresses, redirects, certificates, proxies, limits
auth, credentials   who we are to a registry, and who is told
oci          the distribution protocol
pull, push   artifacts as Wassette makes them
catalog      which components there are
"""
