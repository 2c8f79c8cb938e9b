python 'import json
try: import no_such_module
except ImportError: pass'
expect '^ *[0-9]+ us json$'
expect '^ *[0-9]+ us json.decoder$'
expect '^ *[0-9]+ us no_such_module \(missing\)$'
