"""picture.py FILE ADDRESS: the markup for a picture that imgproxy reads at ADDRESS."""

import os
import sys
from html import escape

import gazecrop
from gazecrop.integrations.imgproxy import Imgproxy

imgproxy = Imgproxy(
    os.environ.get("IMGPROXY_URL", "http://127.0.0.1:8080"),
    key=os.environ.get("IMGPROXY_KEY", ""),
    salt=os.environ.get("IMGPROXY_SALT", ""),
)
file, address = sys.argv[1:]
picture = gazecrop.look(file)
print("<picture>")
for ratio, media in (("4:5", "(max-width: 600px)"), ("1:1", "(max-width: 1024px)")):
    srcset = imgproxy.srcset(address, picture.crop(ratio), [400, 800, 1200], format="webp")
    print(f'  <source media="{media}" srcset="{escape(srcset)}">')
wide = imgproxy.url(address, picture.crop("16:9"), width=1600, format="webp")
print(f'  <img src="{escape(wide)}" alt="">\n</picture>')
