"""Rules explained: equations, JavaScript, surfaces to descend."""
